import type { Valkey } from "iovalkey";
import type { Script } from "../lua/index.js";
import { sendCommand } from "./lean-command.js";

/** Sends a call of a script once. @throws the client's error, unchanged */
export function sendScript(
  client: Valkey,
  script: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  // A user who may only read may not call EVALSHA.
  const name = script.text.startsWith("#!lua flags=no-writes") ? "evalsha_ro" : "evalsha";
  return new Promise((resolve, reject) =>
    sendCommand(client, [name, script.sha1, String(keys.length), ...keys, ...args], keys, resolve, reject),
  );
}
