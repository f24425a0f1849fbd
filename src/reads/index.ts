import { scoredIds } from "../contract/flat-reply.js";
import { ask } from "../valkey/ask.js";
import { allPartitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { isBehind, type Position, type Stretch } from "./position.js";

/** Up to `limit` index entries of a stretch behind `position`, over all partitions, in the index's order. */
export async function readStretch(
  store: MachineStore,
  stretch: Stretch,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const keys = allPartitionKeys(store.location);
  const parts = await Promise.all(keys.map(({ index }) => readIndex(store, index, stretch, position, limit)));
  return parts
    .flat()
    .sort((a, b) => (isBehind(a, b) ? 1 : -1))
    .slice(0, limit);
}

/**
 * The ids that entered one of the stretches' states since `ms` (server time). Each partition answers for one moment,
 * so that an entity that keeps moving between the stretches can't slip through.
 */
export async function movedSince(
  store: MachineStore,
  stretches: readonly Stretch[],
  ms: number,
): Promise<string[]> {
  const parts = await ask(store.connection, `list ${store.location.machine}`, (client) =>
    Promise.all(
      allPartitionKeys(store.location).map(async ({ index }) => {
        const moment = client.multi();
        for (const { from, to } of stretches) moment.zrangebyscore(index, from + ms, to);
        const replies = (await moment.exec()) ?? [];
        return replies.flatMap(([error, ids]) => {
          if (error !== null) throw error;
          return ids as string[];
        });
      }),
    ),
  );
  return parts.flat();
}

/** The same of one partition. */
export async function readIndex(
  store: Pick<MachineStore, "connection" | "location">,
  key: string,
  stretch: Stretch,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const behind = position !== undefined && position.score >= stretch.from ? position : undefined;
  // By score and never by rank: entries leave the index meanwhile, and those after them move up. A position's own
  // score comes as a whole, since many entities may enter a state in the same ms.
  const [tied, later] = await ask(store.connection, `list ${store.location.machine}`, (client) =>
    Promise.all([
      behind === undefined ? [] : client.zrangebyscore(key, behind.score, behind.score, "WITHSCORES"),
      client.zrangebyscore(
        key,
        behind === undefined ? stretch.from : `(${behind.score}`,
        stretch.to,
        "WITHSCORES",
        "LIMIT",
        0,
        limit,
      ),
    ]),
  );
  const rest = behind === undefined ? [] : scoredIds(tied).filter((entry) => isBehind(entry, behind));
  return [...rest, ...scoredIds(later)].slice(0, limit);
}
