/** One place that was searched for a server, and what was found there. */
export interface Looked {
  readonly where: string;
  readonly result: string;
}

const REMEDIES: readonly (readonly [string, string])[] = [
  ["Debian 13, Ubuntu 24.04+", "sudo apt-get install valkey-server"],
  ["Debian 12", "sudo apt-get install -t bookworm-backports valkey-server"],
  ["macOS", "brew install valkey"],
  ["Docker", "docker pull valkey/valkey:9.1"],
];

/**
 * No server could be found to start. The message lists every place that was searched and the lines to type
 * on each system; `looked` holds the same list as data.
 */
export class NoValkeyError extends Error {
  override readonly name = "NoValkeyError";
  readonly code = "NO_VALKEY";
  readonly looked: readonly Looked[];

  constructor(looked: readonly Looked[]) {
    super(noValkeyText(looked));
    this.looked = looked;
  }
}

/** The text of {@link NoValkeyError}: what was looked for, and what to type. */
export function noValkeyText(looked: readonly Looked[]): string {
  return [
    "No Valkey to start.",
    "  Looked for:",
    ...columns(looked.map(({ where, result }) => [where, result])),
    "  Fix it with one of:",
    ...columns(REMEDIES),
    "  Or name a server program: LATCHKEY_VALKEY_BIN=/path/to/valkey-server",
  ].join("\n");
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `    ${left.padEnd(width)}   ${right}`);
}
