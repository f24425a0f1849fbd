import type { Script } from "../lua/index.js";

/** The methods of a client that run a script, such as iovalkey's `Valkey`. */
export interface ScriptClient {
  evalsha(sha1: string, keyCount: number, ...args: string[]): Promise<unknown>;
  script(subcommand: "LOAD", text: string): Promise<unknown>;
}

/** Limit of loads for one call. The script cache may be flushed in between. */
const MAX_LOADS = 5;

/**
 * Runs a script by its SHA-1. Loads it first if the server does not know it. NOSCRIPT means that nothing was executed, so
 * the script runs once.
 *
 * @throws the client's error, unchanged
 */
export async function runScript(
  client: ScriptClient,
  script: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  for (let load = 0; ; load++) {
    try {
      return await client.evalsha(script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (load === MAX_LOADS || !(error instanceof Error) || !error.message.startsWith("NOSCRIPT"))
        throw error;
      await client.script("LOAD", script.text);
    }
  }
}
