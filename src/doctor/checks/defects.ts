import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { KNOWN_DEFECTS, REPLAY_DEFECT } from "../known-defects.js";
import { isBefore, lineOf, parseVersion, type Version } from "../version.js";

/** Each known defect that the server's version has. */
export async function knownDefects(context: DoctorContext): Promise<Finding[]> {
  const { product, version, versionText } = await context.greeting();
  if (product !== "valkey" || version === undefined) {
    const means = "the table of known defects is about Valkey only";
    return [{ id: "defects", level: "note", seen: `${product} ${versionText}`, means }];
  }
  const line = lineOf(version);
  const lookedUp = KNOWN_DEFECTS.filter(({ fixed }) => line in fixed).length;
  const found = defectsOf(version);
  if (lookedUp === KNOWN_DEFECTS.length) {
    if (found.length > 0) return found;
    return [{ id: "defects", level: "ok", seen: versionText, means: "it has every known fix" }];
  }
  const seen = `${versionText}: ${lookedUp} of ${KNOWN_DEFECTS.length} known defects were looked up for line ${line}`;
  const means = "read the release notes of this line for the others";
  return [...found, { id: "defects", level: "note", seen, means, mend: "run a line that the table knows" }];
}

/** A finding for each defect of the table that a version of Valkey has. */
export function defectsOf(version: Version): Finding[] {
  const line = lineOf(version);
  const newest = newestFix(line);
  return KNOWN_DEFECTS.flatMap(({ numbers, level, what, fixed, unconfirmed = [] }) => {
    const first = fixed[line];
    const fix = first === undefined ? undefined : parseVersion(first);
    if (fix === undefined || !isBefore(version, fix)) return [];
    const since = `${first}${unconfirmed.includes(line) ? " (not confirmed)" : ""}`;
    return [
      {
        id: `defect/${numbers[0]}`,
        level,
        seen: `${version.join(".")} has ${numbers.join(", ")}, fixed in ${since}`,
        means: what,
        mend: `upgrade the server to ${newest} or newer`,
      },
    ];
  });
}

/** Whether replaying the append-only file obeys the ACL of the user `default`. */
export function hasReplayDefect(version: Version): boolean {
  const first = KNOWN_DEFECTS.find(({ numbers }) => numbers.includes(REPLAY_DEFECT))?.fixed[lineOf(version)];
  const fix = first === undefined ? undefined : parseVersion(first);
  return fix !== undefined && isBefore(version, fix);
}

/** The release of a line that has all fixes of the table. */
function newestFix(line: string): string {
  const fixes = KNOWN_DEFECTS.map(({ fixed }) => parseVersion(fixed[line] ?? "")).filter(
    (fix) => fix !== undefined,
  );
  const newest = fixes.reduce((a, b) => (isBefore(a, b) ? b : a), [0, 0, 0]);
  return newest.join(".");
}
