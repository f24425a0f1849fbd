import { codeOf } from "../errors/code-of.js";

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
  [EXIT.unexpected, "unexpected error, or doctor, fsck or import found a problem"],
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

/** The `code`s of the expected errors, by exit code. */
const EXPECTED: readonly (readonly [code: ExitCode, errors: readonly string[]])[] = [
  [EXIT.usage, ["USAGE", "BADARG", "MACHINE_FILE", "MACHINE_INVALID"]],
  [EXIT.notFound, ["NOMACHINE", "NOTFOUND"]],
  [EXIT.illegal, ["ILLEGAL", "MISSING", "FINAL"]],
  [EXIT.conflict, ["CONFLICT", "EXISTS", "FORGOTTEN", "INUSE", "PARTITIONS", "GAP"]],
  [EXIT.unreachable, ["UNREACHABLE", "CLOSED", "NO_VALKEY", "SERVER_START", "NOTEXECUTED", "UNKNOWN"]],
  [EXIT.versionMismatch, ["LAYOUT", "PROTOCOL"]],
  [EXIT.timedOut, ["EXPIRED", "TIMEDOUT"]],
];

/** Returns the exit code of a command that ends with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  // A newer machine is installed than the one that was given.
  if (error instanceof Error && "problem" in error && error.problem === "LOWER") return EXIT.versionMismatch;
  const [code = EXIT.unexpected] = EXPECTED.find(([, errors]) => errors.includes(codeOf(error))) ?? [];
  return code;
}
