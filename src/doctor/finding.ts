/** How much a finding matters: `bad` breaks a promise or opens a hole, `warn` may, `note` is to be known. */
export type Level = "ok" | "note" | "warn" | "bad";

/** From the least to the worst. */
export const LEVELS: readonly Level[] = ["ok", "note", "warn", "bad"];

/** One thing that was looked at. */
export interface Finding {
  /** Stable, for programs: `appendfsync`, `defect/CVE-2024-46981`. */
  readonly id: string;
  readonly level: Level;
  /** What was seen. */
  readonly seen: string;
  /** What that means for latchkey. */
  readonly means: string;
  /** The line that mends it: for valkey-cli where it begins in capitals, else for a shell or in words. */
  readonly mend?: string;
  /** Where this could not be looked at: the permission to look, as ACL SETUSER takes it. */
  readonly needs?: string;
}

/** The worst level among findings; `ok` where there are none. */
export function worstLevel(findings: readonly Finding[]): Level {
  return LEVELS.findLast((level) => findings.some((finding) => finding.level === level)) ?? "ok";
}
