const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/gs;

/**
 * The first number of a JSON text that JavaScript would round.
 *
 * @returns undefined where all are kept as they are written
 * @example firstRoundedNumber("[1.50, 12345678901234567890]"); // "12345678901234567890"
 */
export function firstRoundedNumber(json: string): string | undefined {
  for (const [, number] of json.matchAll(STRING_OR_NUMBER)) {
    if (number !== undefined && decimal(number) !== decimal(String(Number(number)))) return number;
  }
  return undefined;
}

/** A number's text in the one form that all its spellings share: digits without outer zeros, and their exponent. */
function decimal(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text);
  if (match === null) return text;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return `${sign}0`;
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
