import type { Valkey } from "iovalkey";
import { sendCommand } from "./lean-command.js";

/** A hash as an object; empty if the key does not exist. */
export type Hash = Readonly<Record<string, string>>;

/**
 * Reads several hashes, all sent at once, with one promise for all of them.
 *
 * @throws the client's first error, unchanged
 */
export function readHashes(client: Valkey, keys: readonly string[]): Promise<Hash[]> {
  return new Promise((resolve, reject) => {
    const hashes: Hash[] = [];
    let missing = keys.length;
    if (missing === 0) resolve(hashes);
    for (const [at, key] of keys.entries()) {
      const take = (reply: unknown): void => {
        hashes[at] = hashOf(reply as string[]);
        missing -= 1;
        if (missing === 0) resolve(hashes);
      };
      sendCommand(client, "hgetall", [key], [key], take, reject);
    }
  });
}

function hashOf(flat: readonly string[]): Hash {
  // Without a prototype, because a field may be named __proto__.
  const hash: Record<string, string> = Object.create(null);
  for (let at = 0; at < flat.length; at += 2) hash[flat[at] ?? ""] = flat[at + 1] ?? "";
  return hash;
}
