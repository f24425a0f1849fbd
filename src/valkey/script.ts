import type { Valkey } from "iovalkey";
import { isError } from "../errors/is-error.js";
import type { Script } from "../lua/index.js";
import { isLoss, OfflineError } from "./failure.js";
import { sendScript } from "./script-command.js";

/** Limit of loads for one call. The script cache may be flushed in between. */
const MAX_LOADS = 5;

/** Loads of one script through one client. */
interface Loads {
  loading: Promise<void> | undefined;
  completed: number;
}

const loadsOfClients = new WeakMap<Valkey, Map<string, Loads>>();

function loadsOf(client: Valkey, { sha1 }: Script): Loads {
  const known = loadsOfClients.get(client)?.get(sha1);
  if (known !== undefined) return known;
  const ofClient = loadsOfClients.get(client) ?? new Map<string, Loads>();
  const loads = { loading: undefined, completed: 0 };
  loadsOfClients.set(client, ofClient.set(sha1, loads));
  return loads;
}

/**
 * Runs a script by its SHA-1. Loads it first if the server does not know it, once for all calls that wait. NOSCRIPT means
 * that nothing was executed, so the script runs once.
 *
 * @throws OfflineError if the connection was lost before the script could be loaded; else the client's error, unchanged
 */
export async function runScript(
  client: Valkey,
  script: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const loads = loadsOf(client, script);
  for (let load = 0; ; load += 1) {
    const { completed } = loads;
    try {
      return await sendScript(client, script, keys, args);
    } catch (error) {
      if (load === MAX_LOADS || !isError(error) || !error.message.startsWith("NOSCRIPT")) throw error;
      // Another call may have loaded it since this one was sent.
      if (loads.completed === completed) await loadOnce(client, script, loads);
    }
  }
}

async function loadOnce(client: Valkey, { text }: Script, loads: Loads): Promise<void> {
  loads.loading ??= client
    .script("LOAD", text)
    .then(() => {
      loads.completed += 1;
    })
    .catch((error: unknown) => {
      throw isLoss(error) ? new OfflineError() : error; // the script itself was not sent
    })
    .finally(() => {
      loads.loading = undefined;
    });
  await loads.loading;
}
