import type { Valkey } from "iovalkey";
import { ask, isAway, type Limits, unlessAborted } from "./ask.js";
import type { Connection } from "./connection.js";
import { Deadline } from "./deadline.js";

/** Limits of which the end is known. */
type TimedLimits = Limits & { readonly deadline: Deadline };

/** Asks about some keys, and returns one result for each. */
type Question<T> = (client: Valkey) => Promise<readonly T[]>;

/** Share of the time of a call for which a server of a cluster may keep the others waiting. */
export const PATIENCE = 0.5;

/**
 * Asks about several keys: each server about its own ones, all at once. If a server of a cluster does not answer that, perhaps
 * because one slot has moved, asks about the keys of each slot on their own.
 *
 * @param question gets some of the keys, which one server holds, and returns one result for each
 * @returns the results, in the order of the keys
 * @throws what `ask` throws
 */
export async function askEach<T>(
  connection: Connection,
  keys: readonly string[],
  what: string,
  question: (client: Valkey, keys: readonly string[]) => Promise<readonly T[]>,
  limits: Limits = {},
): Promise<T[]> {
  const results: T[] = [];
  const keep = (place: number, result: T): void => {
    results[place] = result;
  };
  await askServers(connection, keys, { what, question, limits, keep });
  return results;
}

/** The answers of the servers of a cluster that can be reached. */
export interface ReachableAnswers<T> {
  /** The results by the place of their keys. Those of a server that did not answer are absent. */
  readonly results: ReadonlyMap<number, T>;
  /** The servers that did not answer, without credentials. */
  readonly away: readonly string[];
}

/**
 * Asks about several keys as {@link askEach} does. A server of a cluster that does not answer within half of the time of a
 * call is left out. Until then a replica may replace it.
 *
 * @throws what `ask` throws if a server rejects the question, none answers, or there is no cluster
 */
export async function askReachable<T>(
  connection: Connection,
  keys: readonly string[],
  what: string,
  question: (client: Valkey, keys: readonly string[]) => Promise<readonly T[]>,
  limits: Limits = {},
): Promise<ReachableAnswers<T>> {
  const { isCluster, timeoutMs } = connection;
  const { deadline = Deadline.in(timeoutMs) } = limits;
  const soon = Deadline.in(deadline.remainingMs * (isCluster ? PATIENCE : 1));
  const results = new Map<number, T>();
  const away = new Set<string>();
  await askServers(connection, keys, {
    what,
    question,
    limits: { ...limits, deadline: soon },
    keep: (place, result) => results.set(place, result),
    onFailure: (error, { address }) => {
      if (!isCluster || !isAway(error)) throw error;
      away.add(address);
    },
  });
  if (away.size === 0 || results.size > 0) return { results, away: [...away] };
  // Nobody answers, so that the whole cluster is waited for.
  const all = await askEach(connection, keys, what, question, { ...limits, deadline });
  return { results: new Map(all.entries()), away: [] };
}

interface Questions<T> {
  readonly what: string;
  readonly question: (client: Valkey, keys: readonly string[]) => Promise<readonly T[]>;
  readonly limits: Limits;
  readonly keep: (place: number, result: T) => unknown;
  /** Called with the failure of the keys of a slot. @default throws it */
  readonly onFailure?: (error: unknown, slot: Connection) => void;
}

async function askServers<T>(
  connection: Connection,
  keys: readonly string[],
  { what, question, limits, keep, onFailure }: Questions<T>,
): Promise<void> {
  const { deadline = Deadline.in(limits.timeoutMs ?? connection.timeoutMs) } = limits;
  const timed = { ...limits, deadline };
  const slotOf = (at: number): Connection => connection.of(keys[at] ?? "");
  const about = (places: readonly number[]): Question<T> => {
    const own = places.length === keys.length ? keys : places.map((at) => keys[at] ?? "");
    return (client) => question(client, own);
  };
  const keepAll = (places: readonly number[], replies: readonly T[]): void => {
    for (const [place, reply] of replies.entries()) keep(places[place] ?? 0, reply);
  };
  const askSlot = async (slot: Connection, places: readonly number[]): Promise<void> => {
    try {
      keepAll(places, await ask(slot, what, about(places), timed));
    } catch (error) {
      if (onFailure === undefined) throw error;
      onFailure(error, slot);
    }
  };
  const askServer = async (server: Connection, places: readonly number[]): Promise<void> => {
    const slots = groupsOf(places, slotOf);
    const replies = slots.size > 1 ? await tryOnce(server, about(places), timed) : undefined;
    if (replies !== undefined) return keepAll(places, replies);
    await Promise.all(Array.from(slots, ([slot, own]) => askSlot(slot, own)));
  };
  const serverOf = (at: number): Connection => {
    const slot = slotOf(at);
    return slot.isReady ? slot.server : slot;
  };
  const servers = groupsOf([...keys.keys()], serverOf);
  await Promise.all(Array.from(servers, ([server, places]) => askServer(server, places)));
}

function groupsOf<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

/**
 * Asks a server, or its replica, without a retry.
 *
 * @returns the replies; undefined if the question failed
 * @throws the reason of the signal
 */
async function tryOnce<T>(
  { client, replica }: Connection,
  question: Question<T>,
  { deadline, signal, reads }: TimedLimits,
): Promise<readonly T[] | undefined> {
  signal?.throwIfAborted();
  const work = async (): Promise<readonly T[]> => {
    const reply = reads === "replica" ? await replica?.ask(question, deadline) : undefined;
    return reply?.[0] ?? (await deadline.race(question(client)));
  };
  return unlessAborted(
    work().catch(() => undefined),
    signal,
  );
}
