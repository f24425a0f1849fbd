/** The exit codes of every command. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  unchanged: 3,
  notFound: 4,
  illegal: 5,
  conflict: 6,
  unreachable: 7,
  versionMismatch: 8,
  timedOut: 124,
  interrupted: 130,
} as const;

/** One of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each exit code means, for the help and the documentation. */
export const EXIT_MEANINGS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.ok, "done; also where nothing was left to do"],
  [EXIT.unexpected, "unexpected error"],
  [EXIT.usage, "wrong usage: option, argument, machine file, malformed value"],
  [EXIT.unchanged, "nothing was left to do (only with --error-unchanged)"],
  [EXIT.notFound, "no such entity or machine"],
  [EXIT.illegal, "the machine has no such transition, or a required field is absent"],
  [EXIT.conflict, "another state, version or content than expected; the id is taken"],
  [EXIT.unreachable, "the server can't be used, or its answer was lost"],
  [EXIT.versionMismatch, "data or machine of another version"],
  [EXIT.timedOut, "timed out"],
  [EXIT.interrupted, "interrupted with Ctrl-C"],
];

/** The `code` of every error that is expected, and how a command that meets it exits. */
const BY_CODE: Readonly<Record<string, ExitCode>> = {
  USAGE: EXIT.usage,
  BADARG: EXIT.usage,
  MACHINE_FILE: EXIT.usage,
  MACHINE_INVALID: EXIT.usage,
  NOMACHINE: EXIT.notFound,
  NOTFOUND: EXIT.notFound,
  ILLEGAL: EXIT.illegal,
  MISSING: EXIT.illegal,
  FINAL: EXIT.illegal,
  CONFLICT: EXIT.conflict,
  EXISTS: EXIT.conflict,
  FORGOTTEN: EXIT.conflict,
  INUSE: EXIT.conflict,
  PARTITIONS: EXIT.conflict,
  GAP: EXIT.conflict,
  UNREACHABLE: EXIT.unreachable,
  NO_VALKEY: EXIT.unreachable,
  SERVER_START: EXIT.unreachable,
  NOTEXECUTED: EXIT.unreachable,
  UNKNOWN: EXIT.unreachable,
  LAYOUT: EXIT.versionMismatch,
  PROTOCOL: EXIT.versionMismatch,
  EXPIRED: EXIT.timedOut,
  TIMEDOUT: EXIT.timedOut,
};

/** How a command that ends with this error exits. */
export function exitCodeOf(error: unknown): ExitCode {
  // A newer machine is installed: this program's definition is the old one.
  if (error instanceof Error && "problem" in error && error.problem === "LOWER") return EXIT.versionMismatch;
  const code = codeOf(error);
  return Object.hasOwn(BY_CODE, code) ? (BY_CODE[code] ?? EXIT.unexpected) : EXIT.unexpected;
}

/** The stable code of an error; empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
