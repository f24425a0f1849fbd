const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gsu;

/**
 * The members of a JSON object's text, each with its value's own text: no digit of a number is lost.
 *
 * @param json a text that JSON.parse accepts as an object
 * @example jsonMembers('{"n":1.50,"a":[1, 2]}'); // n: "1.50", a: "[1,2]"
 */
export function jsonMembers(json: string): Map<string, string> {
  const members = new Map<string, string>();
  let depth = 0;
  let key: string | undefined;
  let value = "";
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === "}" || token === "]") depth -= 1;
    if (depth === 0 || (depth === 1 && token === ",")) {
      if (key !== undefined) members.set(key, value);
      key = undefined;
      value = "";
    } else if (depth === 1 && key === undefined) key = JSON.parse(token) as string;
    else if (depth > 1 || token !== ":" || value !== "") value += token;
    if (token === "{" || token === "[") depth += 1;
  }
  return members;
}
