/** Values that differ between runs and machines, and the words that replace them in a comparison. */
const VARYING: readonly [pattern: RegExp, word: string][] = [
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, "<time>"],
  [/\b\d{13}-\d+(@[0-9a-f]{8})?\b/g, "<cursor>"],
  [/\b\d{13}\b/g, "<ms>"],
  [/\b\d+\/\d{13,16}\b/g, "<ms>"],
  [/(?:localhost|127\.0\.0\.1):\d+/g, "<server>"],
  [/("op":\s*)"[^"]*"/g, '$1"<op>"'],
  [/\bop[ =]\S+/g, "op <op>"],
  [/\bcli:[^\s",)]+/g, "cli:<you>"],
  [/\b\d+(?:\.\d+)?\s?(?:µs|ms|s|m|h|d)(?:\d+(?:ms|s|m|h))*\b/g, "<duration>"],
];

function unvarying(text: string): string {
  return VARYING.reduce((result, [pattern, word]) => result.replace(pattern, word), text);
}

/** Text as lines without what varies: times, ages, ops, ports, and the width of columns, which follows from those. */
export function comparableLines(text: string): string[] {
  const lines = unvarying(text).split("\n");
  return lines.map((line) => line.replace(/(\S) {2,}/g, "$1 ").trimEnd()).filter((line) => line !== "");
}

/** JSON values, one or several behind each other, without what varies. */
export function comparableJson(text: string): unknown[] {
  const whole = parse(text);
  if (whole !== undefined) return [whole];
  return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [parse(line) ?? `no JSON: ${line}`]));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (typeof value !== "string") return value;
      return key === "op" ? "<op>" : unvarying(value);
    });
  } catch {
    return undefined;
  }
}

/**
 * Returns the first difference between printed and documented lines: the first missing documented line, or the first extra
 * printed one; undefined if they agree. A documented line with only an ellipsis matches any number of lines.
 */
export function firstDifference(
  documented: readonly string[],
  printed: readonly string[],
): string | undefined {
  let [at, from] = [0, 0];
  let gap = false;
  for (; at < documented.length; at += 1) {
    const line = documented[at] ?? "";
    if (/^\s*(…|\.\.\.)$/.test(line)) {
      gap = true;
      continue;
    }
    const found = gap ? printed.indexOf(line, from) : printed[from] === line ? from : -1;
    if (found === -1) return `documented: ${line}\nprinted: ${printed[from] ?? "nothing more"}`;
    from = found + 1;
    gap = false;
  }
  return gap || from === printed.length ? undefined : `documented: nothing more\nprinted: ${printed[from]}`;
}
