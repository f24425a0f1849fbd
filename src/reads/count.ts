import { ask } from "../valkey/ask.js";
import { allPartitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { needMachine } from "./installed-machine.js";
import { stretchOf } from "./position.js";

/** Counts entities by state, in the order of the index; states that are gone stand only while entities sit in them. */
export async function count(store: MachineStore): Promise<Record<string, number>> {
  const installed = await needMachine(store.connection, store.location, "count");
  const counts = await Promise.all(
    installed.ordinals.map(async (state, ordinal) => {
      const { from, to } = stretchOf(state, ordinal);
      const parts = await Promise.all(
        allPartitionKeys(store.location).map(({ index }) =>
          ask(store.connection, `count ${store.location.machine}`, (client) =>
            client.zcount(index, from, to),
          ),
        ),
      );
      return [state, parts.reduce((sum, part) => sum + part, 0)] as const;
    }),
  );
  return Object.fromEntries(
    counts.filter(([state, n]) => n > 0 || Object.hasOwn(installed.definition.states, state)),
  );
}
