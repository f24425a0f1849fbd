import type { Valkey } from "iovalkey";
import { MachineKeys } from "../machines/keys.js";
import { type Audit, audit } from "./audit.js";
import { Canary, type CanaryOptions } from "./canary.js";

/** Returns a connection to the primary of a key. */
type AdminOf = (key: string) => Promise<Valkey>;

const CHANGES_BEFORE = 40;
const CHANGES_AFTER = 10;

/**
 * Runs a fault while a canary makes changes, and counts what happened to them.
 *
 * @param options of the canary. `admin` is called at the end, when another node may be the primary of a key.
 * @param fault begins the fault, and returns when it is repaired. It calls `markBegin` when it begins.
 * @throws Violation if the remaining data is inconsistent
 */
export async function withCanary(
  options: CanaryOptions & { readonly admin: AdminOf },
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
  const admin = await options.admin(keysOf(canary.namespace).prefix(0));
  const result = await audit(admin, canary, faultAt ?? performance.now());
  await erase(options.admin, canary.namespace);
  return result;
}

const PAGE = 500;

/** Removes a canary's namespace without a scan of all keys. */
export async function erase(adminOf: AdminOf, namespace: string): Promise<void> {
  const prefix = keysOf(namespace).prefix(0);
  const admin = await adminOf(prefix);
  const ids = await admin.zrange(`${prefix}index`, 0, -1);
  const keys = ids.flatMap((id) => [`${prefix}id:${id}`, `${prefix}log:${id}`]);
  keys.push(...["machine", "index", "due", "events"].map((name) => prefix + name));
  for (let at = 0; at < keys.length; at += PAGE) await admin.unlink(...keys.slice(at, at + PAGE));
  // It is in another slot.
  const meta = `{${namespace}}:meta`;
  await (await adminOf(meta)).unlink(meta);
}

function keysOf(namespace: string): MachineKeys {
  return new MachineKeys(namespace, "agent");
}
