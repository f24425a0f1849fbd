/**
 * Returns what is wrong with a Node.js version, or undefined if package.json accepts it.
 * Supports the forms that "engines" uses: "^20.19.0 || >=24.0.0".
 */
export function nodeVersionProblem(range, version) {
  const accepted = range.split("||").some((part) => satisfies(part.trim(), version));
  if (accepted) return undefined;
  return `latchkey needs Node ${range}, this is ${version}. Install a supported version and try again.`;
}

function satisfies(part, version) {
  const match = /^(\^|>=)(\d+\.\d+\.\d+)$/.exec(part);
  if (match === null) throw new Error(`package.json: "engines" holds "${part}", which set-up cannot read.`);
  const [, operator, from] = match;
  const wanted = from.split(".").map(Number);
  const actual = version.replace(/^v/, "").split(".").map(Number);
  if (operator === "^" && actual[0] !== wanted[0]) return false;
  for (const [index, number] of wanted.entries()) {
    if (actual[index] !== number) return actual[index] > number;
  }
  return true;
}
