const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** Colours texts, or returns them unchanged. */
export type Paint = Readonly<Record<keyof typeof CODES, (text: string) => string>>;

/** Returns true for a terminal, unless NO_COLOR or TERM=dumb is set. */
export function takesColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
}

/** Makes the functions that colour texts. */
export function makePaint(coloured: boolean): Paint {
  const style = (code: number) => (text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
  const styles = Object.entries(CODES).map(([name, code]) => [name, style(code)]);
  return Object.fromEntries(styles) as Paint;
}
