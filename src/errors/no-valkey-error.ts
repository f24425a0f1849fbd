import { LatchkeyError } from "./latchkey-error.js";

/** One place that was searched for a server, and the result. */
export interface Looked {
  readonly where: string;
  readonly result: string;
}

const REMEDIES: readonly (readonly [string, string])[] = [
  ["Debian 13, Ubuntu 24.04+", "sudo apt-get install valkey-server"],
  ["Debian 12", "sudo apt-get install -t bookworm-backports valkey-server"],
  ["macOS", "brew install valkey"],
  ["Docker", "docker pull valkey/valkey:9.0.8"],
];

/**
 * No server program and no container image was found. The message lists each place that was searched and the commands
 * that install a server; `looked` holds the same list as data. `code` is `"NO_VALKEY"`.
 */
export class NoValkeyError extends LatchkeyError {
  override readonly name = "NoValkeyError";
  readonly looked: readonly Looked[];

  constructor(looked: readonly Looked[]) {
    super("NO_VALKEY", noValkeyText(looked));
    this.looked = looked;
  }
}

function noValkeyText(looked: readonly Looked[]): string {
  return [
    "No Valkey to start.",
    "  Looked for:",
    ...alignRows(looked.map(({ where, result }) => [where, result])),
    "  Fix it with one of:",
    ...alignRows(REMEDIES),
    "  Or name a server program: LATCHKEY_VALKEY_BIN=/path/to/valkey-server",
  ].join("\n");
}

function alignRows(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `    ${left.padEnd(width)}   ${right}`);
}
