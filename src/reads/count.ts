import type { Valkey } from "iovalkey";
import { ask, type LimitedStore } from "../valkey/ask.js";
import { allPartitionKeys } from "../valkey/keys.js";
import { needMachine } from "./installed-machine.js";
import { stateRange } from "./position.js";

/** Counts entities by state, in the order of the index. States that a newer version dropped appear only if not empty. */
export async function count(store: LimitedStore): Promise<Record<string, number>> {
  const { connection, location } = store;
  const { ordinals, definition } = await needMachine(store, "count");
  const countAll = (client: Valkey): Promise<(readonly [state: string, number: number])[]> =>
    Promise.all(
      ordinals.map(async (state, ordinal) => {
        const { from, to } = stateRange(state, ordinal);
        const parts = await Promise.all(
          allPartitionKeys(location).map(({ index }) => client.zcount(index, from, to)),
        );
        return [state, parts.reduce((sum, part) => sum + part, 0)] as const;
      }),
    );
  const counts = await ask(connection, `count ${location.machine}`, countAll, store);
  return Object.fromEntries(
    counts.filter(([state, number]) => number > 0 || Object.hasOwn(definition.states, state)),
  );
}
