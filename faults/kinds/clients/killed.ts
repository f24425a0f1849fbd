import { setTimeout as pause } from "node:timers/promises";
import { type Details, EVERYWHERE, type Fault, VoidInjection } from "../../fault.js";

/** Kills a client during its calls. Its next life retries what was pending, with the same idempotency keys. */
const workerKilled: Fault = {
  name: "F3 client killed",
  topologies: EVERYWHERE,
  loses: false,
  async inject({ fleet, random, waitBetween }): Promise<Details> {
    const victim = random.of(fleet.of("worker"));
    // Calls start in bursts. Between two bursts none is in flight.
    let pending = 0;
    for (let look = 0; look < 200 && pending === 0; look += 1) {
      const { begun, ended } = await victim.probe();
      pending = begun - ended;
      if (pending === 0) await pause(2);
    }
    if (pending === 0) throw new VoidInjection(`${victim.name} had no call in flight`);
    await victim.kill9();
    const downMs = await waitBetween(0, 300);
    await victim.restart();
    return { victim: victim.name, pending, downMs };
  },
};

/** Kills all connections of clients on the server, repeatedly. */
const connectionsKilled: Fault = {
  name: "F4 connections killed by the server",
  topologies: EVERYWHERE,
  loses: false,
  async inject({ primary, random, withOverlap, waitBetween }): Promise<Details> {
    const { admin } = await primary();
    let killed = 0;
    const kills = 2 + random.below(4);
    const { overlap } = await withOverlap(50, async () => {
      for (let i = 0; i < kills; i += 1) {
        killed += Number(await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"));
        await waitBetween(50, 250);
      }
    });
    if (killed === 0) throw new VoidInjection("there was no connection to kill");
    return { kills, killed, overlap };
  },
};

/** Lists the faults that kill clients or their connections. */
export const clientKills: readonly Fault[] = [workerKilled, connectionsKilled];
