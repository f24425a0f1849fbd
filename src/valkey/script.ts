import type { Script } from "../lua/index.js";

/** What is needed of a client to run a script; iovalkey's `Valkey` is one. */
export interface ScriptClient {
  evalsha(sha1: string, keyCount: number, ...args: string[]): Promise<unknown>;
  script(subcommand: "LOAD", text: string): Promise<unknown>;
}

/** How often a script is loaded for one call: something may flush the script cache in between. */
const MAX_LOADS = 5;

/**
 * Runs a script by its SHA-1. Where the server does not know it, loads it there and runs it: NOSCRIPT means that
 * nothing was executed, so the second call is the first one.
 *
 * @throws the client's error, untouched.
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
