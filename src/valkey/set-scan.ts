import type { Valkey } from "iovalkey";

/** Asks the server that holds a key. */
type Ask = <T>(question: (client: Valkey) => Promise<T>) => Promise<T>;

/**
 * Reads a sorted set with ZSCAN, and yields members and scores in pages. A member that stays in the set is yielded at least
 * once. A cursor means nothing to another server, so the scan begins again after a reconnection, and if another server answers.
 *
 * @param size approximate number of members in a page
 * @param match glob pattern of the members
 */
export async function* scanSet(
  ask: Ask,
  key: string,
  size: number,
  match?: string,
): AsyncGenerator<string[], void> {
  let cursor = "0";
  let socket: unknown;
  const read = async (client: Valkey) => {
    const { stream } = client;
    const at = stream === socket ? cursor : "0";
    const [next, flat] = await (match === undefined
      ? client.zscan(key, at, "COUNT", size)
      : client.zscan(key, at, "MATCH", match, "COUNT", size));
    return { next, flat, stream };
  };
  do {
    const page = await ask(read);
    // Of the page that is yielded, not of an attempt that failed or was abandoned.
    [cursor, socket] = [page.next, page.stream];
    yield page.flat;
  } while (cursor !== "0");
}
