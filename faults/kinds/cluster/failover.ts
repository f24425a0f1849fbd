import { withCanary } from "../../canary/with-canary.js";
import { type Arena, type Details, type Fault, type Loss, Violation } from "../../fault.js";
import type { ClusterNode } from "../../servers/cluster-node.js";
import { sizeOfJump } from "../servers/clock.js";
import { chooseShard, namespaceAt, type Shard } from "./shard.js";

const LEAST_MET = 8;
/** A healthy replica is never this far behind. */
const LAG_MS = 1000;
/** Permits the loss of what the replica did not have, and of what a demoted primary accepted. Acknowledged replication stays. */
const NOT_REPLICATED: Loss = { windowMs: LAG_MS, spares: ["replicas"] };
const SHORTEST_DEMOTED_MS = 50;
const LONGEST_DEMOTED_MS = 1500;

/** Describes one kind of failover: `begin` causes it, `heal` runs when the replica is the primary. */
interface Kind {
  readonly name: string;
  /** True if the replica first receives everything that the primary has acknowledged. */
  readonly isLossless?: boolean;
  readonly setsClock?: boolean;
  begin(shard: Shard, arena: Arena): Promise<void>;
  heal?(shard: Shard, arena: Arena): Promise<void>;
}

/** Makes a failover by command. */
function commanded(mode: "FORCE" | "TAKEOVER" | undefined): Kind["begin"] {
  return ({ cluster, replica }) => cluster.failOver(replica, mode);
}

/** Ends a partition, after the former primary was alone for a while. */
async function heal({ cluster }: Shard, arena: Arena): Promise<void> {
  await arena.waitBetween(SHORTEST_DEMOTED_MS, LONGEST_DEMOTED_MS);
  cluster.heal();
}

const KINDS: readonly Kind[] = [
  {
    name: "F10 primary of a shard killed",
    begin: ({ primary }) => primary.server.kill9(),
    heal: ({ primary }) => primary.server.restart(),
  },
  {
    name: "F10 primary of a shard frozen, then back",
    begin: async ({ primary }) => primary.server.stop(),
    heal: async ({ primary }, arena) => {
      await arena.waitBetween(SHORTEST_DEMOTED_MS, LONGEST_DEMOTED_MS);
      primary.server.cont();
    },
  },
  { name: "F13 CLUSTER FAILOVER", isLossless: true, begin: commanded(undefined) },
  { name: "F13 CLUSTER FAILOVER FORCE", begin: commanded("FORCE") },
  { name: "F13 CLUSTER FAILOVER TAKEOVER", begin: commanded("TAKEOVER") },
  {
    name: "F12 primary of a shard partitioned from the nodes",
    begin: ({ cluster, primary }) => cluster.partition([primary], false),
    heal,
  },
  {
    name: "F12 primary of a shard partitioned from everything",
    begin: ({ cluster, primary }) => cluster.partition([primary], true),
    heal,
  },
  {
    name: "F16 clock of a shard behind after a failover",
    setsClock: true,
    begin: async ({ primary, replica }, arena) => {
      await replica.server.setClock(-sizeOfJump(arena.random));
      await primary.server.kill9();
    },
    heal: async ({ primary, replica }, arena) => {
      await arena.waitBetween(SHORTEST_DEMOTED_MS, LONGEST_DEMOTED_MS);
      await replica.server.setClock(0);
      await primary.server.restart();
    },
  },
];

/** Lists every way in which the replica of a shard becomes its primary. */
export const clusterFailovers: readonly Fault[] = KINDS.map((kind) => ({
  name: kind.name,
  topologies: ["cluster"],
  loses: kind.isLossless === true ? false : NOT_REPLICATED,
  setsClock: kind.setsClock === true,
  inject: (arena) => failOver(kind, arena),
}));

async function failOver(kind: Kind, arena: Arena): Promise<Details> {
  const shard = await chooseShard(arena);
  const { cluster, primary, slot } = shard;
  let [overlap, unavailableMs] = [0, 0];
  let successor: ClusterNode | undefined;
  const canary = {
    ...{ url: cluster.url, namespace: await namespaceAt(shard), callers: 6, replicas: [0, 1] },
    admin: async (key: string) => (await cluster.primary(key)).admin,
  };
  const audit = await withCanary(canary, async (markBegin) => {
    try {
      ({ overlap } = await arena.withOverlap(LEAST_MET, async () => {
        markBegin();
        const at = performance.now();
        await kind.begin(shard, arena);
        successor = await cluster.owner(slot, [primary]);
        unavailableMs = Math.round(performance.now() - at);
      }));
    } finally {
      await kind.heal?.(shard, arena);
      await cluster.awaitHealth();
    }
  });
  if (audit.lostByOneReplica > 0)
    throw new Violation(`changes that the replica acknowledged are lost: ${JSON.stringify(audit)}`);
  if (kind.isLossless === true && audit.lost > 0)
    throw new Violation(`acknowledged changes are lost: ${JSON.stringify(audit)}`);
  if (successor === undefined) throw new Violation(`no node replaced ${primary.name}`);
  return { from: primary.name, to: successor.name, overlap, unavailableMs, ...audit };
}
