import { withCanary } from "../../canary/with-canary.js";
import { type Arena, type Details, type Fault, type Loss, Violation } from "../../fault.js";
import type { DataNode } from "../../servers/node.js";
import { SentinelServers } from "../../servers/sentinel.js";
import { sizeOfJump } from "../servers/clock.js";

const LEAST_MET = 8;
/** Healthy replicas are never this far behind. */
const LAG_MS = 1000;
/** Permits the loss of what no replica had, and of what a demoted primary accepted. Acknowledged replication stays. */
const NOT_REPLICATED: Loss = { windowMs: LAG_MS, spares: ["replicas"] };

/** Provides what a failover needs. */
interface Failover {
  readonly servers: SentinelServers;
  readonly primary: DataNode;
  readonly arena: Arena;
}

/** Describes one kind of failover: `begin` causes it, `heal` runs when there is another primary. */
interface Kind {
  readonly name: string;
  /** True if the primary accepts changes until another node replaces it, which may not have all of them. */
  readonly isHasty?: boolean;
  readonly setsClock?: boolean;
  begin(failover: Failover): Promise<void>;
  heal?(failover: Failover): Promise<void>;
}

const SHORTEST_DEMOTED_MS = 50;
const LONGEST_DEMOTED_MS = 1500;

const KINDS: readonly Kind[] = [
  {
    name: "F10 primary killed",
    begin: ({ primary }) => primary.kill9(),
    heal: ({ primary }) => primary.restart(),
  },
  {
    name: "F10 primary frozen, then back",
    begin: async ({ primary }) => primary.stop(),
    heal: async ({ primary, arena }) => {
      await arena.waitBetween(SHORTEST_DEMOTED_MS, LONGEST_DEMOTED_MS);
      primary.cont();
    },
  },
  {
    name: "F10 SENTINEL FAILOVER",
    isHasty: true,
    begin: ({ servers, arena }) => arena.random.of(servers.sentinels).failOver(),
  },
  {
    name: "F10 FAILOVER TO",
    begin: async ({ servers, primary, arena }) => {
      const target = servers.proxyOf(arena.random.of(servers.replicasOf(primary)));
      await primary.admin.call("FAILOVER", "TO", "127.0.0.1", target.port, "TIMEOUT", 2000);
    },
  },
  {
    name: "F12 primary partitioned from replicas and Sentinels",
    begin: async ({ servers, primary, arena }) => {
      const seed = arena.random.below(2 ** 31);
      servers.proxyOf(primary).treat({ partition: true }, seed, isServer);
    },
    heal: async ({ servers, primary, arena }) => {
      await arena.waitBetween(SHORTEST_DEMOTED_MS, LONGEST_DEMOTED_MS);
      servers.proxyOf(primary).heal();
    },
  },
  {
    name: "F12 primary partitioned from everything",
    begin: async ({ servers, primary, arena }) => {
      servers.proxyOf(primary).treat({ partition: true }, arena.random.below(2 ** 31));
    },
    heal: async ({ servers, primary, arena }) => {
      await arena.waitBetween(SHORTEST_DEMOTED_MS, LONGEST_DEMOTED_MS);
      servers.proxyOf(primary).heal();
    },
  },
  {
    name: "F16 clock behind after a failover",
    setsClock: true,
    begin: async ({ servers, primary, arena }) => {
      const behindMs = -sizeOfJump(arena.random);
      for (const replica of servers.replicasOf(primary)) await replica.setClock(behindMs);
      await primary.kill9();
    },
    heal: async ({ servers, primary, arena }) => {
      await arena.waitBetween(SHORTEST_DEMOTED_MS, LONGEST_DEMOTED_MS);
      for (const node of servers.nodes) await node.setClock(0);
      await primary.restart();
    },
  },
];

/** Recognizes servers. Replicas never set a name, Sentinels always do, and a client has no name until it sets one. */
function isServer(name: string): boolean {
  return name === "" || name.startsWith("sentinel-");
}

/** Lists every way in which another node becomes the primary. */
export const failovers: readonly Fault[] = KINDS.map((kind) => ({
  name: kind.name,
  topologies: ["sentinel"],
  loses: kind.isHasty === true ? { windowMs: LAG_MS } : NOT_REPLICATED,
  setsClock: kind.setsClock === true,
  inject: (arena) => failOver(kind, arena),
}));

async function failOver(kind: Kind, arena: Arena): Promise<Details> {
  const servers = sentinelServers(arena);
  const primary = await servers.awaitHealth();
  let [overlap, unavailableMs] = [0, 0];
  let successor: DataNode | undefined;
  const canary = {
    ...{ url: servers.url, callers: 6, replicas: [0, 1, 2] },
    admin: async () => (await servers.primary()).admin,
  };
  const audit = await withCanary(canary, async (markBegin) => {
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
      await servers.awaitHealth();
    }
  });
  // With a command, the Sentinels may promote the replica that did not acknowledge.
  const isBroken = audit.lostByTwoReplicas > 0 || (audit.lostByOneReplica > 0 && kind.isHasty !== true);
  if (isBroken) throw new Violation(`changes that replicas acknowledged are lost: ${JSON.stringify(audit)}`);
  if (successor === undefined) throw new Violation(`no node replaced ${primary.name}`);
  return { from: primary.name, to: successor.name, overlap, unavailableMs, ...audit };
}

/** Returns the servers of a run with Sentinels. */
export function sentinelServers({ servers }: Arena): SentinelServers {
  if (servers instanceof SentinelServers) return servers;
  throw new Error(`A failover needs Sentinels, not the topology ${servers.topology}`);
}
