import type { Valkey } from "iovalkey";
import { sendAll } from "./lean-command.js";

/** A hash as an object; empty if the key does not exist. */
export type Hash = Readonly<Record<string, string>>;

/**
 * Reads several hashes, all sent at once.
 *
 * @throws the client's first error, unchanged
 */
export async function readHashes(client: Valkey, keys: readonly string[]): Promise<Hash[]> {
  const replies = await sendAll(
    client,
    keys.map((key) => ["hgetall", key] as const),
  );
  return replies.map((reply) => hashOf(reply as string[]));
}

function hashOf(flat: readonly string[]): Hash {
  // Without a prototype, because a field may be named __proto__.
  const hash: Record<string, string> = Object.create(null);
  for (let at = 0; at < flat.length; at += 2) hash[flat[at] ?? ""] = flat[at + 1] ?? "";
  return hash;
}
