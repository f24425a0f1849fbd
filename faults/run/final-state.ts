import type { Valkey } from "iovalkey";
import type { HistoryWriter } from "../history/writer.js";

const PAGE = 500;

/** Returns the prefix of a machine's keys, in a namespace of one partition. */
export function keyPrefix(namespace: string, machine: string): string {
  return `{${namespace}:0}:${machine}:`;
}

async function* keysOf(client: Valkey, prefix: string): AsyncGenerator<string[], void> {
  const pattern = `${prefix.replace(/[{}[\]*?\\]/g, "\\$&")}*`;
  let cursor = "0";
  do {
    const [next, keys] = await client.scan(cursor, "MATCH", pattern, "COUNT", PAGE * 2);
    cursor = next;
    yield keys;
  } while (cursor !== "0");
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? "", flat[2 * i + 1] ?? ""]);
}

/** Records everything that the server holds of a machine except the event log: hashes, lists, index and timers. */
export async function writeFinalState(
  client: Valkey,
  namespace: string,
  machine: string,
  history: HistoryWriter,
): Promise<void> {
  const prefix = keyPrefix(namespace, machine);
  for await (const keys of keysOf(client, `${prefix}id:`)) {
    const hashes = await Promise.all(keys.map((key) => client.hgetall(key)));
    for (const [i, key] of keys.entries()) {
      const id = key.slice(`${prefix}id:`.length);
      history.append({ kind: "final-entity", machine, id, hash: hashes[i] ?? {} });
    }
  }
  for await (const keys of keysOf(client, `${prefix}log:`)) {
    const lists = await Promise.all(keys.map((key) => client.lrange(key, 0, -1)));
    for (const [i, key] of keys.entries()) {
      const id = key.slice(`${prefix}log:`.length);
      history.append({ kind: "final-log", machine, id, elements: lists[i] ?? [] });
    }
  }
  for (const [kind, name] of [
    ["final-index", "index"],
    ["final-due", "due"],
  ] as const) {
    const members = await client.zrange(`${prefix}${name}`, 0, -1, "WITHSCORES");
    for (const [id, score] of pairs(members)) {
      history.append({ kind, machine, id, score: Number(score) });
    }
  }
}
