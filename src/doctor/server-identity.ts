/** A server's version as numbers. */
export type Version = readonly [major: number, minor: number, patch: number];

/** Identifies a server: its product, its version and its role. */
export interface ServerIdentity {
  /** `valkey`, `redis`, `dragonfly`, `keydb`, or the name that the server gives itself. */
  readonly product: string;
  readonly versionText: string;
  readonly version: Version | undefined;
  readonly role: string;
}

type InfoFields = ReadonlyMap<string, string>;

/**
 * Identifies a server by its reply to HELLO and, if permitted, by INFO. INFO decides, because other products say Redis in
 * HELLO, and so does Valkey if it is configured to.
 */
export function readIdentity(hello: InfoFields, info: InfoFields | undefined): ServerIdentity {
  const versionText = info?.get("valkey_version") ?? hello.get("version") ?? "";
  const version = parseVersion(versionText);
  return { product: productOf(hello, info), versionText, version, role: hello.get("role") ?? "" };
}

function productOf(hello: InfoFields, info: InfoFields | undefined): string {
  if (info?.has("dragonfly_version")) return "dragonfly";
  if (info?.has("mvcc_depth") || /keydb/i.test(info?.get("executable") ?? "")) return "keydb";
  if (info?.has("valkey_version")) return "valkey";
  return hello.get("server") ?? "unknown";
}

/** Reads a version such as `8.0.1`; a missing patch number counts as 0. Returns undefined for another text. */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch = "0"] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : [Number(major), Number(minor), Number(patch)];
}

/** Returns the release line of a version: `8.0`. */
export function releaseLineOf([major, minor]: Version): string {
  return `${major}.${minor}`;
}

/** Returns true if a version is older than another one. */
export function isOlder(version: Version, other: Version): boolean {
  const at = version.findIndex((number, place) => number !== other[place]);
  return at >= 0 && (version[at] ?? 0) < (other[at] ?? 0);
}
