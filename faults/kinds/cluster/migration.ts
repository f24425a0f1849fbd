import { type Arena, type Details, type Fault, VoidInjection } from "../../fault.js";
import type { ClusterServers } from "../../servers/cluster.js";
import type { SlotMigration } from "../../servers/slot-migration.js";
import { chooseSlot, clusterOf } from "./shard.js";

const LEAST_MET = 50;
/** Keys that are moved at once, and the pause after them, in ms. */
const [MOST_KEYS, LONGEST_PAUSE_MS] = [40, 20];
const LONGEST_OPEN_MS = 1500;

/** Continues and ends the move of an open slot. */
type Ending = (migration: SlotMigration, cluster: ClusterServers, arena: Arena) => Promise<void>;

/** Moves keys with pauses, so that calls meet every stage of the move. */
async function moveSlowly(migration: SlotMigration, { random, waitBetween }: Arena): Promise<void> {
  while ((await migration.moveKeys(1 + random.below(MOST_KEYS))) > 0)
    await waitBetween(0, random.below(LONGEST_PAUSE_MS));
}

async function finish(migration: SlotMigration, cluster: ClusterServers, arena: Arena): Promise<void> {
  await moveSlowly(migration, arena);
  await migration.finish(await cluster.primaries());
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  "F14 slot moved": finish,
  "F14 slot moved, and back": async (migration, cluster, arena) => {
    await finish(migration, cluster, arena);
    await finish(await cluster.beginMigration(migration.slot, migration.from), cluster, arena);
  },
  "F14 slot move stopped halfway, then aborted": async (migration, cluster, arena) => {
    await migration.moveKeys(1 + arena.random.below(MOST_KEYS));
    await arena.waitBetween(0, LONGEST_OPEN_MS);
    await migration.abort(await cluster.primaries());
  },
  "F14 slot opened and closed": async (migration, cluster, arena) => {
    await arena.waitBetween(0, LONGEST_OPEN_MS);
    await migration.abort(await cluster.primaries());
  },
};

/** Lists the faults that move a partition of the clients, key by key. Calls for it must wait, and lose nothing. */
export const slotMigrations: readonly Fault[] = Object.entries(ENDINGS).map(([name, ending]) => ({
  name,
  topologies: ["cluster"],
  loses: false,
  async inject(arena): Promise<Details> {
    const cluster = clusterOf(arena);
    await cluster.awaitHealth();
    const slot = await chooseSlot(arena);
    const from = await cluster.owner(slot);
    const to = arena.random.of((await cluster.primaries()).filter((node) => node !== from));
    const keys = Number(await from.admin.cluster("COUNTKEYSINSLOT", slot));
    if (keys === 0) throw new VoidInjection(`slot ${slot} is empty`);
    const at = performance.now();
    let durationMs = 0;
    const { overlap } = await arena.withOverlap(LEAST_MET, async () => {
      await ending(await cluster.beginMigration(slot, to), cluster, arena);
      durationMs = Math.round(performance.now() - at);
    });
    await cluster.awaitHealth();
    // A failover soon after would lose the whole partition if its replica had not received it yet.
    for (const node of [from, to]) await cluster.awaitReplicas(node);
    return { slot, from: from.name, to: to.name, keys, durationMs, overlap };
  },
}));
