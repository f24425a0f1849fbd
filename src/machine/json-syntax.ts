// A string may contain all characters from the space up, except " and \.
const TOKEN =
  /[ \t\r\n]*(?:("(?:[ !#-[\]-\u{10FFFF}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|((?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-]))|([{}[\]:,]))/uy;

const GAP = /[ \t\r\n]*/y;

/** The next token that is allowed. */
type Expected = "value" | "value or ]" | "key" | "key or }" | ":" | ", or close" | "end";

/**
 * Finds the first error in a text that `JSON.parse` rejected, because the message of the engine often has no position.
 *
 * @param text a text that is not JSON
 * @returns the offset of the first unexpected token, or the length of the text if it is incomplete
 */
export function jsonErrorOffset(text: string): number {
  const open: string[] = [];
  let expected: Expected = "value";
  for (let at = 0; ; ) {
    TOKEN.lastIndex = at;
    const match: RegExpExecArray | null = TOKEN.exec(text);
    const next: Expected | undefined = match === null ? undefined : follow(expected, match, open);
    if (next === undefined) {
      GAP.lastIndex = at;
      return at + (GAP.exec(text)?.[0].length ?? 0);
    }
    expected = next;
    at = TOKEN.lastIndex;
  }
}

/** Returns what may follow a token, or undefined for an unexpected token. Maintains the stack of open brackets. */
function follow(expected: Expected, match: RegExpExecArray, open: string[]): Expected | undefined {
  const [, text, literal, mark] = match;
  const isValue = text !== undefined || literal !== undefined;
  if (expected === "key" || expected === "key or }") {
    if (text !== undefined) return ":";
    return mark === "}" && expected === "key or }" ? close(open) : undefined;
  }
  if (expected === ":") return mark === ":" ? "value" : undefined;
  if (expected === "value" || expected === "value or ]") {
    if (isValue) return open.length > 0 ? ", or close" : "end";
    if (mark === "]" && expected === "value or ]") return close(open);
    if (mark !== "{" && mark !== "[") return undefined;
    open.push(mark);
    return mark === "{" ? "key or }" : "value or ]";
  }
  if (expected === "end") return undefined;
  const inside = open.at(-1);
  if (mark === ",") return inside === "{" ? "key" : "value";
  return mark === (inside === "{" ? "}" : "]") ? close(open) : undefined;
}

function close(open: string[]): Expected {
  open.pop();
  return open.length > 0 ? ", or close" : "end";
}
