import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { type AgentState, agent, connect, type Durability, type Entities, NotDurableError } from "latchkey";
import { erase } from "../../canary/with-canary.js";
import { type Details, type Fault, Violation } from "../../fault.js";
import type { DataNode } from "../../servers/node.js";
import { sentinelServers } from "./failover.js";

const LEAST_MET = 30;
const CALLERS = 8;
const ROUNDS = 3;
const WAIT_MS = 100;
const LOOK_MS = 1;

/** Freezes replicas. No change may then count as acknowledged by more replicas than those that run. */
export const replicasStopped: Fault = {
  name: "F11 replicas stopped",
  topologies: ["sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const servers = sentinelServers(arena);
    const { random, withOverlap } = arena;
    const primary = await servers.awaitHealth();
    const replicas = servers.replicasOf(primary);
    const stopped = random.below(2) === 0 ? replicas : [random.of(replicas)];
    const running = replicas.length - stopped.length;
    const namespace = `durable-${random.below(2 ** 31).toString(36)}`;
    const latchkey = await connect({ url: servers.url, namespace });
    try {
      const agents = await latchkey.machine(agent());
      const tally = { requested: 0, acknowledged: 0, insufficient: 0 };
      const request = async (requested: number, id: string, op: string): Promise<void> => {
        const durability = { replicas: requested, fsync: random.below(2) === 0, timeoutMs: WAIT_MS };
        const result = await change(agents, id, op, durability);
        tally.requested += 1;
        if (result.isDurable) tally.acknowledged += 1;
        else tally.insufficient += 1;
        if (result.replicas > running || (result.isDurable && requested > running)) {
          throw new Violation(
            `with ${running} of 2 replicas running, ${op} was acknowledged by ${result.replicas} of ${requested} requested replicas`,
          );
        }
      };
      try {
        for (const node of stopped) await freeze(node);
        const { overlap } = await withOverlap(LEAST_MET, async () => {
          for (let round = 0; round < ROUNDS; round += 1) {
            const callers = Array.from({ length: CALLERS }, async (_, caller) => {
              const [id, op] = [`d${round}-${caller}`, `op-${round}-${caller}`];
              await request(1 + (caller % 2), id, op);
              // The change was applied before. That does not prove that a replica has it.
              await request(2 - (caller % 2), id, op);
            });
            await Promise.all(callers);
          }
        });
        for (const node of stopped) node.cont();
        await servers.awaitHealth();
        const again = await change(agents, "d0-0", "op-0-0", { replicas: 2, timeoutMs: 5000 });
        if (!again.isDurable) throw new Violation(`with both replicas back, ${again.replicas} acknowledge`);
        return { stopped: stopped.length, overlap, ...tally };
      } finally {
        for (const node of stopped) node.cont();
      }
    } finally {
      await latchkey.close();
      await erase(async () => primary.admin, namespace);
    }
  },
};

/** Makes one durable creation, and returns how many replicas acknowledged it. */
async function change(
  agents: Entities<AgentState>,
  id: string,
  op: string,
  durability: Durability,
): Promise<{ isDurable: boolean; replicas: number }> {
  try {
    await agents.create(id, {}, { op, durability });
    return { isDurable: true, replicas: 0 };
  } catch (error) {
    if (!(error instanceof NotDurableError)) throw error;
    return { isDurable: false, replicas: error.acknowledged.replicas };
  }
}

/** Freezes a process, and waits until the system reports it as stopped. */
async function freeze(node: DataNode): Promise<void> {
  node.stop();
  while (!/^State:\s+T/m.test(await readFile(`/proc/${node.pid}/status`, "utf8"))) await pause(LOOK_MS);
}
