import { parseVersion, type Version } from "./version.js";

/** What a server is. */
export interface Greeting {
  /** `valkey`, `redis`, `dragonfly`, `keydb`, or what else it calls itself. */
  readonly product: string;
  readonly versionText: string;
  readonly version: Version | undefined;
  readonly role: string;
}

type Facts = ReadonlyMap<string, string>;

/**
 * Tells what a server is. Others call themselves Redis too, even Valkey does where it is set to: INFO tells more, where
 * it may be asked.
 */
export function readGreeting(hello: Facts, info: Facts | undefined): Greeting {
  const versionText = info?.get("valkey_version") ?? hello.get("version") ?? "";
  return {
    product: productOf(hello, info),
    versionText,
    version: parseVersion(versionText),
    role: hello.get("role") ?? "",
  };
}

function productOf(hello: Facts, info: Facts | undefined): string {
  if (info?.has("dragonfly_version")) return "dragonfly";
  if (info?.has("mvcc_depth") || /keydb/i.test(info?.get("executable") ?? "")) return "keydb";
  if (info?.has("valkey_version")) return "valkey";
  return hello.get("server") ?? "unknown";
}
