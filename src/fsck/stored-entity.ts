import { isUtf8 } from "node:buffer";
import type { Valkey } from "iovalkey";
import { type EntityKeyPair, keysIn, type Partition } from "./partition.js";

/** Number of newest elements of the log that are read together with an entity: two for each change. */
const NEWEST = 64;

/** Holds the times of an entity, in ms. */
export interface Times {
  readonly changed: number;
  readonly entered: number;
  readonly renewed: number;
}

/** Holds all that the server stores of one entity at one moment. */
export interface StoredEntity {
  readonly id: string;
  readonly keys: EntityKeyPair;
  /** The fields of the hash; undefined if there is none. */
  readonly hash: ReadonlyMap<string, string> | undefined;
  /** Own fields whose bytes are not valid UTF-8. */
  readonly notUtf8: readonly string[];
  /** Times of the last change, of entering the state and of the last heartbeat in it (0 for none), in ms. */
  readonly times: Times | undefined;
  /** The server's time when the entity was read, in ms. */
  readonly serverMs: number;
  /** Score in the index as the server writes it; null for none. */
  readonly index: string | null;
  /** Score among the timers as the server writes it; null for none. */
  readonly due: string | null;
  /** Number of elements in the log: a record and an idempotency key for each change. */
  readonly logLength: number;
  /** The newest elements of the log, oldest first. */
  readonly newest: readonly string[];
  /** Keys of a wrong type. */
  readonly wrongTypes: readonly string[];
}

/** Reads one entity by one transaction, so that all values are of the same moment. */
export async function readStoredEntity(
  client: Valkey,
  partition: Partition,
  id: string,
): Promise<StoredEntity> {
  const keys = keysIn(partition, id);
  const { index, due } = partition.keys;
  const replies =
    (await client
      .multi()
      .hgetall(keys.entity)
      .zscore(index, id)
      .zscore(due, id)
      .llen(keys.log)
      .lrange(keys.log, -NEWEST, -1)
      .time()
      .exec()) ?? [];
  const wrongTypes = new Set<string>();
  const order = [keys.entity, index, due, keys.log, keys.log];
  const [flat, score, timer, length, newest, clock] = replies.map(([error, reply], at) => {
    if (error === null) return reply;
    if (!error.message.startsWith("WRONGTYPE")) throw error;
    wrongTypes.add(order[at] ?? "");
    return null;
  });
  const fields = new Map(Object.entries((flat ?? {}) as Record<string, string>));
  const [seconds = 0, micros = 0] = (clock as string[]).map(Number);
  return {
    id,
    keys,
    hash: fields.size === 0 ? undefined : fields,
    notUtf8: await brokenTexts(client, keys.entity, fields),
    times: timesOf(fields.get("times:ms") ?? ""),
    serverMs: seconds * 1000 + Math.floor(micros / 1000),
    index: score as string | null,
    due: timer as string | null,
    logLength: Number(length ?? 0),
    newest: (newest ?? []) as string[],
    wrongTypes: [...wrongTypes],
  };
}

/** Finds the fields that are not UTF-8. Decoding marks them with U+FFFD; only marked fields are read again, as bytes. */
async function brokenTexts(
  client: Valkey,
  key: string,
  fields: ReadonlyMap<string, string>,
): Promise<string[]> {
  const marked = [...fields].filter(([, text]) => text.includes("\uFFFD")).map(([field]) => field);
  const bytes = marked.length === 0 ? [] : await client.hmgetBuffer(key, ...marked);
  return marked.filter((_, at) => !isUtf8(bytes[at] ?? Buffer.alloc(0)));
}

function timesOf(text: string): Times | undefined {
  const [, changed, entered, renewed] = /^(\d{13}) (\d{13}) (0|\d{13})$/.exec(text)?.map(Number) ?? [];
  if (changed === undefined || entered === undefined || renewed === undefined) return undefined;
  return { changed, entered, renewed };
}
