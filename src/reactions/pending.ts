import type { Valkey } from "iovalkey";
import { parseChange } from "../contract/document.js";
import { pairsOf } from "../contract/flat-reply.js";
import { ask, limited, type ReadOptions } from "../valkey/ask.js";
import { type MachineLocation, type ReactionKeys, reactionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { checkReactionName } from "./settings.js";

/** An event that a reaction has begun to deliver and not finished. */
export interface PendingEvent {
  /** Partition and position in the event log, such as `0:1763807223197-0`; of a retried dead letter, its ID. */
  readonly id: string;
  /** ID of the entity. An entry that is not an event has a name of its own, which begins with `#`. */
  readonly entity: string;
  /** The event's document as text; null if it was trimmed from the log or is not a change. */
  readonly text: string | null;
  /**
   * `"running"`: its handler runs. `"retrying"`: the last attempt failed or was stopped, and the next one waits for its
   * delay. `"delivered"`: it has a replica, and no attempt was made. `"waiting"`: an earlier event of its entity is pending.
   */
  readonly status: "running" | "retrying" | "delivered" | "waiting";
  /** Name of the replica: `connectionName`, host, process ID and a random part; undefined if the event waits. */
  readonly replica: string | undefined;
  /** Server time of the replica's last heartbeat in ms; undefined if it has left. */
  readonly replicaSeenMs: number | undefined;
  /** Number of attempts, including a running one. */
  readonly attempts: number;
  /** Server time of the first attempt in ms; undefined if there was none. */
  readonly firstMs: number | undefined;
  /** Server time in ms at which the running attempt began, else the first one, else at which the event happened. */
  readonly sinceMs: number;
  /** True for a dead letter that is delivered again. */
  readonly isDeadLetter: boolean;
}

/** An event as the server lists it, without its document. */
interface Listed extends Omit<PendingEvent, "text"> {
  readonly streamKey: string;
  readonly entryId: string;
}

/** Number of events that one request reads. */
const PAGE = 100;
const ASSIGNMENT = /^(\S+) \d+ ([ed])(\d+-\d+) (\d+) \d+ (\d+) (\d+) [01]$/;
const WAITING = /^(\S+) ([01])0*(\d+)-0*(\d+)$/;

/**
 * Yields the events of a reaction that are pending: first those that have a replica, the oldest first, then those that
 * wait, by entity. Ends when the signal is aborted.
 *
 * @throws ContractError if an argument is invalid; while iterating, NotExecutedError if the server does not reply
 */
export function pendingEvents(
  store: MachineStore,
  reaction: string,
  options: ReadOptions = {},
): AsyncGenerator<PendingEvent, void> {
  checkReactionName(reaction);
  const { connection, location, timeoutMs, signal } = limited(store, options);
  const request: Request = (key, question) =>
    ask(connection.of(key), `pending events of ${reaction}`, question, { timeoutMs, signal });
  return untilAborted(readPending(request, location, reaction), signal);
}

/** Asks the server that holds a key. */
type Request = <T>(key: string, question: (client: Valkey) => Promise<T>) => Promise<T>;

async function* untilAborted<T>(
  events: AsyncGenerator<T, void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void> {
  try {
    yield* events;
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

async function* readPending(
  request: Request,
  location: MachineLocation,
  reaction: string,
): AsyncGenerator<PendingEvent, void> {
  const partitions = Array.from({ length: location.partitions }, (_, partition) => ({
    partition,
    keys: reactionKeys(location, partition, reaction),
  }));
  const assigned = await Promise.all(
    partitions.map(({ partition, keys }) =>
      request(keys.assignments, (client) => readAssigned(client, keys, partition)),
    ),
  );
  const ordered = assigned.flat().sort((a, b) => a.sinceMs - b.sinceMs);
  for (let from = 0; from < ordered.length; from += PAGE)
    yield* await withTexts(request, location.machine, ordered.slice(from, from + PAGE));
  for (const { partition, keys } of partitions) {
    for (let from = "-"; ; ) {
      const start = from;
      const members = await request(keys.waiting, (client) =>
        client.zrange(keys.waiting, start, "+", "BYLEX", "LIMIT", 0, PAGE),
      );
      const waiting = members.flatMap((member) => readWaiting(member, keys, partition));
      yield* await withTexts(request, location.machine, waiting);
      if (members.length < PAGE) break;
      from = `(${members.at(-1)}`;
    }
  }
}

async function withTexts(
  request: Request,
  machine: string,
  events: readonly Listed[],
): Promise<PendingEvent[]> {
  return Promise.all(
    events.map(async ({ streamKey, entryId, ...event }) => {
      const text = await request(streamKey, (client) => readText(client, streamKey, entryId));
      return { ...event, text: typeof parseChange(machine, text) === "string" ? null : text };
    }),
  );
}

async function readText(client: Valkey, key: string, id: string): Promise<string> {
  const [entry] = await client.xrange(key, id, id);
  return new Map(pairsOf(entry?.[1] ?? [])).get("doc") ?? "";
}

/** Reads the events that have a replica. See lua/reactions/take.lua for what the server stores. */
async function readAssigned(client: Valkey, keys: ReactionKeys, partition: number): Promise<Listed[]> {
  const [assignments, heartbeats] = await Promise.all([
    client.hgetall(keys.assignments),
    client.zrangebyscore(keys.lastSeen, "-inf", "+inf", "WITHSCORES"),
  ]);
  const seen = new Map(pairsOf(heartbeats));
  return Object.entries(assignments).flatMap(([entity, text]) => {
    const [, replica = "", mark, entryId = "", attempts, first, began] = ASSIGNMENT.exec(text) ?? [];
    if (entryId === "") return []; // a field that finds the entity of an event
    const times = [began, first, entryId.split("-")[0]].map(Number);
    const status = Number(began) > 0 ? "running" : Number(attempts) > 0 ? "retrying" : "delivered";
    const heartbeat = seen.get(replica);
    return {
      id: `${partition}:${entryId}`,
      entity,
      status,
      replica,
      replicaSeenMs: heartbeat === undefined ? undefined : Number(heartbeat),
      attempts: Number(attempts),
      firstMs: Number(first) || undefined,
      sinceMs: times.find((ms) => ms > 0) ?? 0,
      isDeadLetter: mark === "d",
      streamKey: mark === "d" ? keys.deadLetters : keys.events,
      entryId,
    } as const;
  });
}

function readWaiting(member: string, keys: ReactionKeys, partition: number): Listed[] {
  const [, entity = "", order, ms = "", sequence] = WAITING.exec(member) ?? [];
  if (entity === "") return [];
  const entryId = `${ms}-${sequence}`;
  return [
    {
      id: `${partition}:${entryId}`,
      entity,
      status: "waiting",
      replica: undefined,
      replicaSeenMs: undefined,
      attempts: 0,
      firstMs: undefined,
      sinceMs: Number(ms),
      isDeadLetter: order === "1",
      streamKey: order === "1" ? keys.deadLetters : keys.events,
      entryId,
    },
  ];
}
