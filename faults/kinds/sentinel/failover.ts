import { withCanary } from "../../canary/with-canary.js";
import { type Arena, type Details, type Fault, type Loss, Violation } from "../../fault.js";
import type { DataNode } from "../../servers/node.js";
import { SentinelServers } from "../../servers/sentinel.js";

const LEAST_MET = 8;
/** Replicas that are well are never this far behind. */
const LAG_MS = 1000;
/** What no replica had yet is gone, and what a primary took that was one no more. What a replica acknowledged stays. */
const NOT_REPLICATED: Loss = { windowMs: LAG_MS, spares: ["replicas"] };

/** What a failover needs to know. */
interface Failover {
  readonly servers: SentinelServers;
  readonly primary: DataNode;
  readonly arena: Arena;
}

/** How one kind of failover goes: `begin` makes it happen, `heal` follows when there is another primary. */
interface Kind {
  readonly name: string;
  /** Whether the primary goes on taking changes until another node is one, which may not have all of them yet. */
  readonly isHasty?: boolean;
  readonly setsClockBack?: boolean;
  begin(failover: Failover): Promise<void>;
  heal?(failover: Failover): Promise<void>;
}

const SHORTEST_ZOMBIE_MS = 50;
const LONGEST_ZOMBIE_MS = 1500;

const KINDS: readonly Kind[] = [
  {
    name: "F10 primary killed",
    begin: ({ primary }) => primary.kill9(),
    heal: ({ primary }) => primary.restart(),
  },
  {
    name: "F10 primary frozen, back as a zombie",
    begin: async ({ primary }) => primary.stop(),
    heal: async ({ primary, arena }) => {
      await arena.waitBetween(SHORTEST_ZOMBIE_MS, LONGEST_ZOMBIE_MS);
      primary.cont();
    },
  },
  {
    name: "F10 failover by a Sentinel's command",
    isHasty: true,
    begin: ({ servers, arena }) => arena.random.of(servers.sentinels).failOver(),
  },
  {
    name: "F10 failover by FAILOVER TO",
    begin: async ({ servers, primary, arena }) => {
      const target = servers.proxyOf(arena.random.of(servers.replicasOf(primary)));
      await primary.admin.call("FAILOVER", "TO", "127.0.0.1", target.port, "TIMEOUT", 2000);
    },
  },
  {
    name: "F12 primary cut off from replicas and Sentinels",
    begin: async ({ servers, primary, arena }) => {
      const seed = arena.random.below(2 ** 31);
      servers.proxyOf(primary).treat({ partition: true }, seed, isServer);
    },
    heal: async ({ servers, primary, arena }) => {
      await arena.waitBetween(SHORTEST_ZOMBIE_MS, LONGEST_ZOMBIE_MS);
      servers.proxyOf(primary).heal();
    },
  },
  {
    name: "F12 primary cut off from everybody",
    begin: async ({ servers, primary, arena }) => {
      servers.proxyOf(primary).treat({ partition: true }, arena.random.below(2 ** 31));
    },
    heal: async ({ servers, primary, arena }) => {
      await arena.waitBetween(SHORTEST_ZOMBIE_MS, LONGEST_ZOMBIE_MS);
      servers.proxyOf(primary).heal();
    },
  },
  {
    name: "F16 clock behind after a failover",
    setsClockBack: true,
    begin: async ({ servers, primary, arena }) => {
      const behindMs = -arena.random.below(10_001);
      for (const replica of servers.replicasOf(primary)) await replica.setClock(behindMs);
      await primary.kill9();
    },
    heal: async ({ servers, primary, arena }) => {
      await arena.waitBetween(SHORTEST_ZOMBIE_MS, LONGEST_ZOMBIE_MS);
      for (const node of servers.nodes) await node.setClock(0);
      await primary.restart();
    },
  },
];

/** Replicas never name themselves, Sentinels always do; a client is nobody until it has told its name. */
function isServer(name: string): boolean {
  return name === "" || name.startsWith("sentinel-");
}

/** Every way in which another node becomes the primary. */
export const failovers: readonly Fault[] = KINDS.map((kind) => ({
  name: kind.name,
  topologies: ["sentinel"],
  loses: kind.isHasty === true ? { windowMs: LAG_MS } : NOT_REPLICATED,
  setsClockBack: kind.setsClockBack === true,
  inject: (arena) => failOver(kind, arena),
}));

async function failOver(kind: Kind, arena: Arena): Promise<Details> {
  const servers = sentinelServers(arena);
  const primary = await servers.allWell();
  let [overlap, unavailableMs] = [0, 0];
  let successor: DataNode | undefined;
  const canary = {
    ...{ url: servers.url, callers: 6, replicas: [0, 1, 2] },
    admin: async () => (await servers.primary()).admin,
  };
  const told = await withCanary(canary, async (markBegin) => {
    const failover = { servers, primary, arena };
    try {
      ({ overlap } = await arena.withOverlap(LEAST_MET, async () => {
        markBegin();
        const at = performance.now();
        await kind.begin(failover);
        successor = await servers.successorOf(primary);
        unavailableMs = Math.round(performance.now() - at);
      }));
    } finally {
      await kind.heal?.(failover);
      await servers.allWell();
    }
  });
  // One replica is not the one that follows, perhaps, where Sentinels choose without waiting for it.
  const isBroken = told.lostByTwoReplicas > 0 || (told.lostByOneReplica > 0 && kind.isHasty !== true);
  if (isBroken)
    throw new Violation(`changes that replicas had acknowledged are lost: ${JSON.stringify(told)}`);
  if (successor === undefined) throw new Violation(`nobody followed ${primary.name}`);
  return { from: primary.name, to: successor.name, overlap, unavailableMs, ...told };
}

/** The servers of a run with Sentinels. */
export function sentinelServers({ servers }: Arena): SentinelServers {
  if (servers instanceof SentinelServers) return servers;
  throw new Error(`A failover needs Sentinels, not the topology ${servers.topology}`);
}
