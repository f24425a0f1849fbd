import type { CheckResult } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { KNOWN_DEFECTS, REPLAY_DEFECT } from "../known-defects.js";
import { isOlder, parseVersion, releaseLineOf, type Version } from "../server-identity.js";

const id = "defects";

/** Lists the known defects of the server's version. */
export async function knownDefects(context: DoctorContext): Promise<CheckResult[]> {
  const { product, version, versionText } = await context.identity();
  if (product !== "valkey" || version === undefined) {
    const meaning = "not checked: the list of known defects is for Valkey only";
    return [{ id, level: "info", status: `${product} ${versionText}`, meaning }];
  }
  const line = releaseLineOf(version);
  const listed = KNOWN_DEFECTS.filter(({ fixes }) => line in fixes).length;
  const results = defectsOf(version);
  if (listed === KNOWN_DEFECTS.length) {
    if (results.length > 0) return results;
    return [{ id, level: "ok", status: versionText, meaning: "no known defects" }];
  }
  const status = `${versionText}: the list has ${listed} of ${KNOWN_DEFECTS.length} known defects for line ${line}`;
  const meaning = "see the release notes of this line for the others";
  return [...results, { id, level: "info", status, meaning, fix: "run a line that the list covers" }];
}

/** Returns a result for each known defect of a Valkey version. */
export function defectsOf(version: Version): CheckResult[] {
  const line = releaseLineOf(version);
  const fix = `upgrade the server to ${newestFix(line)} or later`;
  return KNOWN_DEFECTS.flatMap(({ numbers, level, impact, fixes, unconfirmed }) => {
    const release = fixes[line];
    if (!isBeforeFix(version, release)) return [];
    const note = unconfirmed.includes(line) ? " (not confirmed)" : "";
    const status = `${version.join(".")} has ${numbers.join(", ")}, fixed in ${release}${note}`;
    return [{ id: `defect/${numbers[0]}`, level, status, meaning: impact, fix }];
  });
}

/** Returns true if the replay of the append-only file depends on the permissions of the user `default`. */
export function hasReplayDefect(version: Version): boolean {
  const defect = KNOWN_DEFECTS.find(({ numbers }) => numbers.includes(REPLAY_DEFECT));
  return isBeforeFix(version, defect?.fixes[releaseLineOf(version)]);
}

function isBeforeFix(version: Version, release = ""): boolean {
  const fix = parseVersion(release);
  return fix !== undefined && isOlder(version, fix);
}

/** Returns the release of a line that has all known fixes. */
function newestFix(line: string): string {
  const releases = KNOWN_DEFECTS.map(({ fixes }) => parseVersion(fixes[line] ?? "") ?? ([0, 0, 0] as const));
  return releases.reduce((a, b) => (isOlder(a, b) ? b : a)).join(".");
}
