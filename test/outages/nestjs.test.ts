import { expect, it } from "vitest";
import { agent } from "../../src/index.js";
import { AgentLifecycleService, LatchkeyModule } from "../../src/nestjs/index.js";
import { LONG } from "../helpers/cluster-clients.js";
import { startApp } from "../helpers/nest-app.js";
import { partlyDown } from "../helpers/partly-down.js";

it("an application starts while a primary without a replica is down, and cleans up after the agents of the others", async () => {
  const { cluster, namespace, ids } = await partlyDown((latchkey) => latchkey.apply(agent()));
  const cleaned: string[] = [];
  const app = await startApp({
    imports: [
      LatchkeyModule.forRoot({
        cluster: cluster.addresses,
        namespace,
        sweep: true,
        agents: { cleanup: { handler: (id: string) => void cleaned.push(id) } },
      }),
    ],
  });
  const agents = app.get(AgentLifecycleService);
  for (const id of ids) {
    await agents.registerSpawnedAgent(id, "task");
    await agents.transitionToRunning(id);
    await agents.transitionToCompleted(id);
  }
  await expect.poll(() => [...cleaned].sort(), LONG).toEqual([...ids].sort());
});
