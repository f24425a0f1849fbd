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

/** The meaning of each exit code, for the help and the documentation. */
export const EXIT_MEANINGS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.ok, "success, or nothing to do"],
  [EXIT.unexpected, "unexpected error, or doctor or fsck found a problem"],
  [EXIT.usage, "invalid option, argument, value or machine file"],
  [EXIT.unchanged, "nothing to do (only with --error-unchanged)"],
  [EXIT.notFound, "entity, machine or reaction not found"],
  [EXIT.illegal, "transition not allowed, or a required field is missing"],
  [EXIT.conflict, "conflict: unexpected state, version or content, or the ID exists"],
  [EXIT.unreachable, "server unreachable, or its reply was lost"],
  [EXIT.versionMismatch, "data or machine of another version"],
  [EXIT.timedOut, "timed out"],
  [EXIT.interrupted, "interrupted with Ctrl-C"],
];

/** The exit code of each expected error, by the error's `code`. */
const BY_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ["USAGE", EXIT.usage],
  ["BADARG", EXIT.usage],
  ["MACHINE_FILE", EXIT.usage],
  ["MACHINE_INVALID", EXIT.usage],
  ["NOMACHINE", EXIT.notFound],
  ["NOTFOUND", EXIT.notFound],
  ["ILLEGAL", EXIT.illegal],
  ["MISSING", EXIT.illegal],
  ["FINAL", EXIT.illegal],
  ["CONFLICT", EXIT.conflict],
  ["EXISTS", EXIT.conflict],
  ["FORGOTTEN", EXIT.conflict],
  ["INUSE", EXIT.conflict],
  ["PARTITIONS", EXIT.conflict],
  ["GAP", EXIT.conflict],
  ["UNREACHABLE", EXIT.unreachable],
  ["NO_VALKEY", EXIT.unreachable],
  ["SERVER_START", EXIT.unreachable],
  ["NOTEXECUTED", EXIT.unreachable],
  ["UNKNOWN", EXIT.unreachable],
  ["LAYOUT", EXIT.versionMismatch],
  ["PROTOCOL", EXIT.versionMismatch],
  ["EXPIRED", EXIT.timedOut],
  ["TIMEDOUT", EXIT.timedOut],
]);

/** Returns the exit code of a command that ends with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  // A newer machine is installed than the one that was given.
  if (error instanceof Error && "problem" in error && error.problem === "LOWER") return EXIT.versionMismatch;
  return BY_CODE.get(codeOf(error)) ?? EXIT.unexpected;
}

/** Returns the stable code of an error; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
