/** A server's version, as numbers. */
export type Version = readonly [major: number, minor: number, patch: number];

/** Reads `8.0.1`; a missing patch number counts as 0. Undefined for another text. */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch = "0"] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : [Number(major), Number(minor), Number(patch)];
}

/** The line of releases that a version belongs to: `8.0`. */
export function lineOf([major, minor]: Version): string {
  return `${major}.${minor}`;
}

/** Whether a version comes before another one. */
export function isBefore(version: Version, other: Version): boolean {
  const at = version.findIndex((part, location) => part !== other[location]);
  return at >= 0 && (version[at] ?? 0) < (other[at] ?? 0);
}
