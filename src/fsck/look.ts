import { isUtf8 } from "node:buffer";
import type { Valkey } from "iovalkey";
import { timeMs } from "../valkey/server-clock.js";
import { type EntityPlaces, type Part, placesIn } from "./entity-places.js";

/** So many of an entity's newest changes come with a look. */
const NEWEST = 32;

/** All that the server holds of one entity, at one moment. */
export interface Look {
  readonly id: string;
  readonly places: EntityPlaces;
  /** Server time in ms. */
  readonly nowMs: number;
  /** The hash; undefined where there is none. */
  readonly hash: ReadonlyMap<string, string> | undefined;
  /** Own fields whose bytes are not valid UTF-8. */
  readonly notUtf8: readonly string[];
  /** Scores as the server writes them; null for none. */
  readonly index: string | null;
  readonly due: string | null;
  readonly logLength: number;
  /** The newest changes of the log, oldest first. */
  readonly newest: readonly string[];
  /** Keys that hold another type than they should. */
  readonly wrongTypes: readonly string[];
}

/** Looks at one entity: everything of the same moment, by one transaction of reads. */
export async function lookAt(client: Valkey, part: Part, id: string): Promise<Look> {
  const places = placesIn(part, id);
  const replies =
    (await client
      .multi()
      .time()
      .hgetall(places.entity)
      .zscore(part.keys.index, id)
      .zscore(part.keys.due, id)
      .llen(places.log)
      .lrange(places.log, -NEWEST, -1)
      .exec()) ?? [];
  const wrongTypes = new Set<string>();
  const keys = ["", places.entity, part.keys.index, part.keys.due, places.log, places.log];
  const [time, flat, index, due, length, newest] = replies.map(([error, reply], at) => {
    if (error === null) return reply;
    if (!error.message.startsWith("WRONGTYPE")) throw error;
    wrongTypes.add(keys[at] ?? "");
    return null;
  });
  const fields = new Map(Object.entries((flat ?? {}) as Record<string, string>));
  return {
    id,
    places,
    nowMs: timeMs(time as [string, string]),
    hash: fields.size === 0 ? undefined : fields,
    notUtf8: await brokenTexts(client, places.entity, fields),
    index: index as string | null,
    due: due as string | null,
    logLength: Number(length ?? 0),
    newest: (newest ?? []) as string[],
    wrongTypes: [...wrongTypes],
  };
}

/** Reading bytes as text leaves a mark where they are none; only those fields are read again. */
async function brokenTexts(
  client: Valkey,
  key: string,
  fields: ReadonlyMap<string, string>,
): Promise<string[]> {
  const marked = [...fields].filter(([, text]) => text.includes("\uFFFD")).map(([field]) => field);
  const bytes = marked.length === 0 ? [] : await client.hmgetBuffer(key, ...marked);
  return marked.filter((_, at) => !isUtf8(bytes[at] ?? Buffer.alloc(0)));
}
