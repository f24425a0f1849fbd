const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/gs;

/**
 * Finds the first number of a JSON text that JavaScript would round.
 *
 * @returns undefined if every number keeps its digits
 * @example firstRoundedNumber("[1.50, 12345678901234567890]"); // "12345678901234567890"
 */
export function firstRoundedNumber(json: string): string | undefined {
  for (const [, number] of json.matchAll(STRING_OR_NUMBER)) {
    if (number !== undefined && decimal(number) !== decimal(String(Number(number)))) return number;
  }
  return undefined;
}

/** Normalizes the text of a number: digits without outer zeros, and an exponent. */
function decimal(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text);
  if (match === null) return text;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return `${sign}0`;
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
