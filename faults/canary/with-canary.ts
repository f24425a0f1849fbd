import type { Valkey } from "iovalkey";
import { type Audit, audit } from "./audit.js";
import { Canary, type CanaryOptions } from "./canary.js";

const CHANGES_BEFORE = 40;
const CHANGES_AFTER = 10;

/**
 * Runs a fault while a canary makes changes, and counts what happened to them.
 *
 * @param options of the canary. `admin` is called at the end, when another node may be the primary.
 * @param fault begins the fault, and returns when it is repaired. It calls `markBegin` when it begins.
 * @throws Violation if the remaining data is inconsistent
 */
export async function withCanary(
  options: CanaryOptions & { readonly admin: () => Promise<Valkey> },
  fault: (markBegin: () => void) => Promise<void>,
): Promise<Audit> {
  const canary = await Canary.start(options);
  let faultAt: number | undefined;
  try {
    await canary.awaitChanges(CHANGES_BEFORE);
    await fault(() => {
      faultAt ??= performance.now();
    });
    await canary.awaitChanges(CHANGES_AFTER);
  } finally {
    await canary.stop();
  }
  const admin = await options.admin();
  const result = await audit(admin, canary, faultAt ?? performance.now());
  await erase(admin, canary.namespace);
  return result;
}

const PAGE = 500;

/** Removes a canary's namespace without a scan of all keys. */
export async function erase(admin: Valkey, namespace: string): Promise<void> {
  const prefix = `{${namespace}:0}:agent:`;
  const ids = await admin.zrange(`${prefix}index`, 0, -1);
  const keys = ids.flatMap((id) => [`${prefix}id:${id}`, `${prefix}log:${id}`]);
  keys.push(...["machine", "index", "due", "events"].map((name) => prefix + name), `{${namespace}}:meta`);
  for (let at = 0; at < keys.length; at += PAGE) await admin.unlink(...keys.slice(at, at + PAGE));
}
