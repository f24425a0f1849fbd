import { expect, it, onTestFinished } from "vitest";
import { defineMachine } from "../../../src/index.js";
import { AgentLifecycleService, LatchkeyHealthIndicator, LatchkeyModule } from "../../../src/nestjs/index.js";
import { clusterClient, firstServer, LONG, mortalCluster } from "../../helpers/cluster-clients.js";
import { startApp } from "../../helpers/nest-app.js";
import { freshNamespace } from "../../helpers/valkey.js";

const task = defineMachine({
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["working"] },
    working: { to: ["done", "lost"], lease: { for: "1h", to: "lost" } },
    lost: {},
    done: {},
  },
});
const IDS = Array.from({ length: 24 }, (_, at) => `t${at}`);
const SAFE = { timeout: LONG.timeout, durability: { replicas: 1, timeoutMs: 60_000 } } as const;

it("waits, holds and followers go on at the replica of a primary that was killed", async () => {
  const cluster = await mortalCluster(1);
  const latchkey = await clusterClient(cluster);
  await latchkey.init(16);
  const tasks = await latchkey.machine(task);
  const done = new Set<string>();
  const follower = await tasks.follow(({ id, state }) => void (state === "done" && done.add(id)));
  onTestFinished(() => follower.close());
  await Promise.all(IDS.map((id) => tasks.create(id, {}, SAFE)));
  await Promise.all(IDS.map((id) => tasks.transition(id, "working", SAFE)));
  const holds = await Promise.all(IDS.map((id) => tasks.hold(id, { version: 2 })));
  const waiting = Promise.all(IDS.map((id) => tasks.waitFor(id, "done", LONG)));
  const { server } = await firstServer(cluster, { namespace: latchkey.namespace, partitions: 16 });
  await server.server.kill9();
  await Promise.all(
    holds.map((hold) =>
      hold.change((ifVersion) => tasks.transition(hold.id, "done", { ifVersion, timeout: LONG.timeout })),
    ),
  );
  expect((await waiting).map(({ id, version }) => [id, version])).toEqual(IDS.map((id) => [id, 3]));
  await expect.poll(() => done.size, LONG).toBe(IDS.length);
  expect(holds.map(({ signal }) => signal.aborted)).toEqual(IDS.map(() => false));
});

it("waits that begin while a server is down return the entities of the others", async () => {
  const cluster = await mortalCluster(0);
  const latchkey = await clusterClient(cluster);
  await latchkey.init(16);
  const tasks = await latchkey.machine(task);
  await Promise.all(IDS.map((id) => tasks.create(id)));
  const { server, holds } = await firstServer(cluster, { namespace: latchkey.namespace, partitions: 16 });
  await server.server.kill9();
  const others = IDS.filter((id) => !holds(id));
  const waiting = Promise.all(others.map((id) => tasks.waitFor(id, "working", LONG)));
  await Promise.all(others.map((id) => tasks.transition(id, "working", LONG)));
  expect((await waiting).map(({ id, state }) => [id, state])).toEqual(others.map((id) => [id, "working"]));
});

it("a wait for an entity of a server that is down names this server, others are answered", async () => {
  const cluster = await mortalCluster(0);
  const latchkey = await clusterClient(cluster);
  await latchkey.init(16);
  const tasks = await latchkey.machine(task);
  await Promise.all(IDS.map((id) => tasks.create(id)));
  const { server, holds } = await firstServer(cluster, { namespace: latchkey.namespace, partitions: 16 });
  const [lost = ""] = IDS.filter(holds);
  const others = IDS.filter((id) => !holds(id));
  const waits = [lost, ...others].map((id) => tasks.waitFor(id, "working", { timeout: 20_000 }));
  const waiting = Promise.allSettled(waits);
  await Promise.all(others.map((id) => tasks.heartbeat(id).catch(() => {}))); // the waits have begun
  await server.server.kill9();
  await Promise.all(others.map((id) => tasks.transition(id, "working", LONG)));
  const [first, ...answered] = await waiting;
  expect(answered.map(({ status }) => status)).toEqual(others.map(() => "fulfilled"));
  expect(first).toMatchObject({ reason: { code: "TIMEDOUT" } });
  expect(String(first?.status === "rejected" && first.reason)).toContain(
    `:${server.announced.port} cannot be reached`,
  );
});

it("an application of Nest serves agents, cleans up after them and sweeps across a failover", async () => {
  const cluster = await mortalCluster(1);
  const namespace = freshNamespace();
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
  const health = app.get(LatchkeyHealthIndicator);
  await Promise.all(IDS.map((id) => agents.registerSpawnedAgent(id, "task")));
  await Promise.all(IDS.map((id) => agents.transitionToRunning(id)));
  expect(await health.isHealthy("latchkey", { timeout: "60s" })).toMatchObject({
    latchkey: { status: "up", reactions: { "agent/session-cleanup": { deadLetters: 0 } } },
  });
  const { server } = await firstServer(cluster, { namespace, partitions: 64 });
  const [replica] = await cluster.replicasOf(server);
  if (replica === undefined) throw new Error("The primary has no replica");
  const failing = cluster.failOver(replica);
  for (const id of IDS) await agents.transitionToCompleted(id);
  await failing;
  await expect.poll(() => [...cleaned].sort(), LONG).toEqual([...IDS].sort());
  expect((await agents.listAgentLifecycleStates()).map(({ status }) => status)).toEqual(
    IDS.map(() => "completed"),
  );
  await expect
    .poll(async () => (await health.isHealthy("latchkey", { timeout: "60s" })).latchkey.status, LONG)
    .toBe("up");
});
