import { allPartitionKeys } from "../valkey/keys.js";
import { clientOf, type Store } from "./call.js";
import { readMachine } from "./machine-record.js";
import { stretchOf } from "./position.js";

/** Counts entities by state, in the order of the index; states that are gone stand only while entities sit in them. */
export async function count(store: Store): Promise<Record<string, number>> {
  const client = clientOf(store);
  const installed = await readMachine(client, store.place);
  if (installed === null) return {};
  const counts = await Promise.all(
    installed.ordinals.map(async (state, ordinal) => {
      const { from, to } = stretchOf(state, ordinal);
      const parts = await Promise.all(
        allPartitionKeys(store.place).map(({ index }) => client.zcount(index, from, to)),
      );
      return [state, parts.reduce((sum, part) => sum + part, 0)] as const;
    }),
  );
  return Object.fromEntries(counts.filter(([state, n]) => n > 0 || state in installed.definition.states));
}
