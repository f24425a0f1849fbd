import type { Valkey } from "iovalkey";
import type { HistoryWriter } from "../history/writer.js";
import type { MachineKeys } from "../machines/keys.js";
import type { Servers } from "../servers/servers.js";

const PAGE = 500;

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

/** Records everything that the servers hold of a machine except the event log: hashes, lists, index, timers and floors. */
export async function writeFinalState(
  servers: Servers,
  keys: MachineKeys,
  history: HistoryWriter,
): Promise<void> {
  for (const [partition, prefix] of keys.prefixes.entries()) {
    const { admin } = await servers.primary(prefix);
    await writePartition(admin, keys.machine, partition, prefix, history);
  }
}

async function writePartition(
  client: Valkey,
  machine: string,
  partition: number,
  prefix: string,
  history: HistoryWriter,
): Promise<void> {
  const floor = await client.hget(`${prefix}machine`, "floor");
  if (floor !== null) history.append({ kind: "final-floor", machine, partition, floor });
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
