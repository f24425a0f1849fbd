import type { Valkey } from "iovalkey";
import type { LimitedStore } from "../valkey/ask.js";
import { askEach } from "../valkey/ask-each.js";
import { allPartitionKeys } from "../valkey/keys.js";
import { sendAll } from "../valkey/lean-command.js";
import { needMachine } from "./installed-machine.js";
import { stateRange } from "./position.js";

/**
 * Counts entities by state, in the order of the index. States that a newer version dropped appear only if not empty.
 *
 * @param operation the operation that needs the numbers, for the error
 */
export async function count(store: LimitedStore, operation = "count"): Promise<Record<string, number>> {
  const { connection, location } = store;
  const { ordinals, definition } = await needMachine(store, operation);
  const ranges = ordinals.map((state, ordinal) => stateRange(state, ordinal));
  const countAll = async (client: Valkey, keys: readonly string[]): Promise<number[][]> => {
    const ofKey = (key: string) =>
      ranges.map(({ from, to }) => ["zcount", key, String(from), String(to)] as const);
    const numbers = (await sendAll(client, keys.flatMap(ofKey))) as number[];
    return keys.map((_, at) => numbers.slice(at * ranges.length, (at + 1) * ranges.length));
  };
  const keys = allPartitionKeys(location).map(({ index }) => index);
  const parts = await askEach(connection, keys, `${operation} ${location.machine}`, countAll, store);
  const counts = ordinals.map(
    (state, ordinal) => [state, parts.reduce((sum, part) => sum + (part[ordinal] ?? 0), 0)] as const,
  );
  return Object.fromEntries(
    counts.filter(([state, number]) => number > 0 || Object.hasOwn(definition.states, state)),
  );
}
