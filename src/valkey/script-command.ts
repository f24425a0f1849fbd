import type { Valkey } from "iovalkey";
import type { Script } from "../lua/index.js";
import { sendCommand, shareWord } from "./lean-command.js";

/** Number of leading keys that belong to one entity. All entities of a partition share the others. */
const ENTITY_KEYS = 2;

/** Sends a call of a script once. @throws the client's error, unchanged */
export function sendScript(
  client: Valkey,
  script: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  // A user who may only read may not call EVALSHA.
  const name = script.text.startsWith("#!lua flags=no-writes") ? "evalsha_ro" : "evalsha";
  shareWord(script.sha1);
  for (const key of keys.slice(ENTITY_KEYS)) shareWord(key);
  const words = [script.sha1, String(keys.length), ...keys, ...args];
  return new Promise((resolve, reject) => sendCommand(client, name, words, keys, resolve, reject));
}
