/** The product and the version of a server program. */
export interface ServerVersion {
  readonly product: "valkey" | "redis";
  readonly version: string;
}

/** The oldest supported version of each product. */
const OLDEST = { valkey: "7.2", redis: "7.0" } as const;

/**
 * Parses the output of `valkey-server --version` or `redis-server --version`. Returns undefined for other programs.
 *
 * @example parseServerVersion("Valkey server v=8.0.1 sha=0:0") // { product: "valkey", version: "8.0.1" }
 */
export function parseServerVersion(text: string): ServerVersion | undefined {
  const match = /^(Valkey|Redis) server v=(\d+\.\d+\.\d+)/m.exec(text);
  const [, product, version] = match ?? [];
  if (product === undefined || version === undefined) return undefined;
  return { product: product === "Valkey" ? "valkey" : "redis", version };
}

/**
 * Explains why latchkey does not support a version; undefined if it does. The product is the one in the output, because
 * a file named `redis-server` may be a link to Valkey.
 */
export function tooOld({ product, version }: ServerVersion): string | undefined {
  const oldest = OLDEST[product];
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split(".").map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `${product} ${version} is too old; ${oldest} or later is required`;
}
