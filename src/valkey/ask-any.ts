import type { Valkey } from "iovalkey";
import { ask, isUnreachable, type Limits } from "./ask.js";
import type { Connection } from "./connection.js";
import { Deadline } from "./deadline.js";
import { pause } from "./real-time.js";

/** Time that the first server has before the others are asked too, in ms. */
const HEAD_START_MS = 500;

/**
 * Asks about keys of which all hold the same. The first key decides. If its server has not replied soon, perhaps because it is
 * unreachable, the servers of the others are asked too, and the first answer counts.
 *
 * @param question returns undefined if the key does not hold the answer
 * @throws what `ask` throws about the first key, if no other one has an answer
 */
export async function askAny<T>(
  connection: Connection,
  keys: readonly string[],
  what: string,
  question: (client: Valkey, key: string) => Promise<T | undefined>,
  limits: Limits = {},
): Promise<T | undefined> {
  const { deadline = Deadline.in(limits.timeoutMs ?? connection.timeoutMs) } = limits;
  const [first = "", ...others] = keys;
  const askAbout = (key: string, signal = limits.signal): Promise<T | undefined> =>
    ask(connection.of(key), what, (client) => question(client, key), {
      ...limits,
      deadline,
      ...(signal !== undefined && { signal }),
    });
  if (!connection.isCluster || others.length === 0) return askAbout(first);
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, ...(limits.signal === undefined ? [] : [limits.signal])]);
  const askOther = async (key: string): Promise<T> => {
    const answer = await askAbout(key, signal);
    return answer ?? Promise.reject(); // `any` goes on with the others
  };
  const elsewhere = pause(HEAD_START_MS, undefined, { signal }).then(() =>
    Promise.any(firstOfOtherServers(connection, first, others).map(askOther)),
  );
  const never = new Promise<never>(() => {});
  const decision = askAbout(first, signal).catch((error: unknown) => {
    if (!isUnreachable(error)) throw error;
    return elsewhere.catch(() => Promise.reject(error));
  });
  try {
    return await Promise.race([decision, elsewhere.catch(() => never)]);
  } finally {
    end.abort();
  }
}

/** Returns one key of each server that does not hold the first one. */
function firstOfOtherServers(connection: Connection, first: string, others: readonly string[]): string[] {
  const byServer = new Map<string, string>();
  for (const key of others) {
    const { address } = connection.of(key);
    if (!byServer.has(address)) byServer.set(address, key);
  }
  byServer.delete(connection.of(first).address);
  return [...byServer.values()];
}
