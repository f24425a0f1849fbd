/** The severity of a result: `fail` breaks a promise or opens a security hole, `warn` may do so, `info` does not. */
export type Level = "ok" | "info" | "warn" | "fail";

/** Lists the levels from the least to the most severe. */
export const LEVELS: readonly Level[] = ["ok", "info", "warn", "fail"];

/** Reports what a check found. */
export interface CheckResult {
  /** A stable name for programs: `appendfsync`, `defect/CVE-2024-46981`. */
  readonly id: string;
  readonly level: Level;
  /** The value or the fact that was found. */
  readonly status: string;
  /** Its consequence for latchkey. */
  readonly meaning: string;
  /** The fix: a command for valkey-cli if it begins with capitals, else a shell command or a sentence. */
  readonly fix?: string;
  /** The servers of a cluster that it concerns; absent if it concerns all. */
  readonly servers?: readonly string[];
  /** The permission that the check needs and the user lacks, as ACL SETUSER takes it. */
  readonly permission?: string;
}

/** Holds the result of a check without its id, which is the name of the check. */
export type Outcome = Omit<CheckResult, "id">;

/** Returns the result of a check that found nothing wrong. */
export function ok(status: string, meaning: string): Outcome {
  return { level: "ok", status, meaning };
}

/** Returns a result of the level `info`. */
export function info(status: string, meaning: string, fix?: string): Outcome {
  return { level: "info", status, meaning, ...(fix !== undefined && { fix }) };
}

/** Returns a result of the level `warn`. */
export function warn(status: string, meaning: string, fix: string): Outcome {
  return { level: "warn", status, meaning, fix };
}

/** Returns a result of the level `fail`. */
export function fail(status: string, meaning: string, fix: string): Outcome {
  return { level: "fail", status, meaning, fix };
}

/** Returns the most severe level among results; `ok` if there are none. */
export function worstLevel(results: readonly CheckResult[]): Level {
  return LEVELS.findLast((level) => results.some((result) => result.level === level)) ?? "ok";
}
