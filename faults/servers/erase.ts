import type { Valkey } from "iovalkey";

const PAGE = 500;

/** Takes a canary's namespace away, without a walk over all keys of the server. */
export async function erase(admin: Valkey, namespace: string): Promise<void> {
  const prefix = `{${namespace}:0}:agent:`;
  const ids = await admin.zrange(`${prefix}index`, 0, -1);
  const keys = ids.flatMap((id) => [`${prefix}id:${id}`, `${prefix}log:${id}`]);
  keys.push(...["machine", "index", "due", "events"].map((name) => prefix + name), `{${namespace}}:meta`);
  for (let at = 0; at < keys.length; at += PAGE) await admin.unlink(...keys.slice(at, at + PAGE));
}
