import type { Valkey } from "iovalkey";
import type { Script } from "../lua/index.js";

/** Limit of loads for one call. The script cache may be flushed in between. */
const MAX_LOADS = 5;

/**
 * Runs a script by its SHA-1. Loads it first if the server does not know it. NOSCRIPT means that nothing was executed, so
 * the script runs once.
 *
 * @throws the client's error, unchanged
 */
export async function runScript(
  client: Valkey,
  script: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  // A user who may only read may not call EVALSHA.
  const command = script.text.startsWith("#!lua flags=no-writes") ? "evalsha_ro" : "evalsha";
  for (let load = 0; ; load++) {
    try {
      return await client.call(command, script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (load === MAX_LOADS || !(error instanceof Error) || !error.message.startsWith("NOSCRIPT"))
        throw error;
      await client.script("LOAD", script.text);
    }
  }
}
