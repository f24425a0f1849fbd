import type { Valkey } from "iovalkey";
import { type Audit, audit } from "./audit.js";
import { Canary, type CanaryOptions } from "./canary.js";

const WARM = 40;
const AFTERWARDS = 10;

/**
 * Runs a fault while a canary makes changes, and tells what became of them.
 *
 * @param options of the canary; `admin` is asked for at the end, when the node that serves may be another one
 * @param fault begins the fault, and returns when it has healed; call `markBegin` at the moment that it begins
 * @throws Violation when what is left is not whole.
 */
export async function withCanary(
  options: CanaryOptions & { readonly admin: () => Promise<Valkey> },
  fault: (markBegin: () => void) => Promise<void>,
): Promise<Audit> {
  const canary = await Canary.start(options);
  let faultAt: number | undefined;
  try {
    await canary.awaitChanges(WARM);
    await fault(() => {
      faultAt ??= performance.now();
    });
    await canary.awaitChanges(AFTERWARDS);
  } finally {
    await canary.stop();
  }
  const admin = await options.admin();
  const told = await audit(admin, canary, faultAt ?? performance.now());
  await erase(admin, canary.namespace);
  return told;
}

const PAGE = 500;

/** Takes a canary's namespace away, without a walk over all keys of the server. */
export async function erase(admin: Valkey, namespace: string): Promise<void> {
  const prefix = `{${namespace}:0}:agent:`;
  const ids = await admin.zrange(`${prefix}index`, 0, -1);
  const keys = ids.flatMap((id) => [`${prefix}id:${id}`, `${prefix}log:${id}`]);
  keys.push(...["machine", "index", "due", "events"].map((name) => prefix + name), `{${namespace}}:meta`);
  for (let at = 0; at < keys.length; at += PAGE) await admin.unlink(...keys.slice(at, at + PAGE));
}
