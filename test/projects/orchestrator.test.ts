import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { agent, connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { freshFolder, sharedFolder } from "../helpers/folder.js";
import { buildExample, EXAMPLE, installExample, Replica } from "../helpers/orchestrator.js";
import { Webhook } from "../helpers/webhook.js";

const LIMIT_MS = 600_000;
const MIGRATION = "1-one-import-one-module-line.diff";
const FEATURES = "2-leases-reviews-health.diff";
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** A reaction whose events are all handled. */
const IDLE = { lag: 0, pending: 0, deadLetters: 0 };
const folder = sharedFolder();

beforeAll(() => installExample(folder), 2 * LIMIT_MS);

/** Starts replicas of a built application on a server of their own. */
async function fleet(app: string, size: number, env: NodeJS.ProcessEnv = {}) {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const sessions = await freshFolder();
  const settings = { VALKEY_URL: server.url, SESSIONS: sessions, ...env };
  const replicas = await Promise.all(Array.from({ length: size }, () => Replica.start(app, settings)));
  const cleanups = (id: string): number =>
    replicas.reduce(
      (sum, { output }) => sum + output.split(`Cleaning up the session of agent ${id}\n`).length - 1,
      0,
    );
  const hasSession = (id: string): boolean => existsSync(join(sessions, id));
  return { server, replicas, cleanups, hasSession };
}

/** Spawns an agent. @returns its ID */
async function spawn(replica: Replica, taskId: string): Promise<string> {
  const { status, body } = await replica.call("POST", "/agents", { taskId });
  expect(status).toBe(201);
  return body.agentId;
}

/** Subscribes to the channel of the replaced service. @returns the events, which grow */
async function channelOf(url: string): Promise<{ readonly agentId: string }[]> {
  const events: { readonly agentId: string }[] = [];
  const valkey = new Valkey(url);
  onTestFinished(() => valkey.disconnect());
  valkey.on("message", (_, message) => events.push(JSON.parse(message)));
  await valkey.subscribe("orchestrator:events");
  return events;
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`there are ${list.length}`);
  return item;
}

describe("the move from an in-process service", () => {
  const FORMS = [
    ["before", [FEATURES, MIGRATION]],
    ["moved", [FEATURES]],
    ["present", []],
  ] as const;

  test("changes one import of the service's user, and adds one entry to the module", () => {
    const diff = readFileSync(join(EXAMPLE, "history", MIGRATION), "utf8");
    const added = diff.split("\n").filter((line) => /^\+(?!\+\+ )/.test(line));
    expect(added.map((line) => line.slice(1).trim())).toEqual([
      '"latchkey": "^0.1.0",',
      'import { AgentLifecycleService } from "latchkey/nestjs";',
      'import { LatchkeyModule } from "latchkey/nestjs";',
      "imports: [",
      "LatchkeyModule.forRoot({",
      "url: process.env.VALKEY_URL,",
      'agents: { cleanup: { spawner: SpawnerService }, channel: "orchestrator:events" },',
      "}),",
      "],",
      "providers: [OrchestratorService, SpawnerService],",
    ]);
  });

  test.each(FORMS)(
    "leaves the answers to requests as they were: the application %s",
    async (name, undo) => {
      const { server, replicas, cleanups, hasSession } = await fleet(
        await buildExample(folder, name, undo),
        1,
      );
      const replica = at(replicas, 0);
      const events = await channelOf(server.url);

      const spawned = await replica.call("POST", "/agents", { taskId: "t1", metadata: { model: "m" } });
      const { agentId } = spawned.body;
      const agent = { agentId: expect.any(String), taskId: "t1", metadata: { model: "m" } };
      expect(spawned).toEqual({ status: 201, body: { ...agent, status: "spawning" } });
      expect(hasSession(agentId)).toBe(true);
      const early = await replica.call("POST", `/agents/${agentId}/complete`);
      expect(early.status).toBeGreaterThanOrEqual(400);
      expect((await replica.call("GET", `/agents/${agentId}`)).body).toEqual(spawned.body);

      const running = { ...agent, status: "running", startedAt: expect.stringMatching(ISO) };
      const started = await replica.call("POST", `/agents/${agentId}/start`);
      expect(started).toEqual({ status: 200, body: running });
      const completed = await replica.call("POST", `/agents/${agentId}/complete`);
      const end = { ...started.body, status: "completed", completedAt: expect.stringMatching(ISO) };
      expect(completed).toEqual({ status: 200, body: end });
      await expect.poll(() => hasSession(agentId)).toBe(false);
      const late = await replica.call("POST", `/agents/${agentId}/kill`);
      expect(late.status).toBeGreaterThanOrEqual(400);
      expect(await replica.call("GET", `/agents/${agentId}`)).toEqual({ status: 200, body: completed.body });
      expect(cleanups(agentId)).toBe(1);

      const [failing, killed] = [await spawn(replica, "t2"), await spawn(replica, "t3")];
      const failed = await replica.call("POST", `/agents/${failing}/fail`, { error: "exit 1" });
      expect(failed).toMatchObject({ status: 200, body: { status: "failed", error: "exit 1" } });
      expect((await replica.call("POST", `/agents/${killed}/kill`)).body.status).toBe("killed");
      for (const id of [failing, killed]) await expect.poll(() => hasSession(id)).toBe(false);

      expect((await replica.call("POST", "/agents/nobody/start")).status).toBeGreaterThanOrEqual(400);
      expect((await replica.call("GET", "/agents/nobody")).status).toBe(404);
      const { body: list } = await replica.call("GET", "/agents");
      const ids = list.map((one: { agentId: string }) => one.agentId);
      expect(ids.sort()).toEqual([agentId, failing, killed].sort());
      expect(replica.output).toContain(`Agent ${killed} transitioned to killed`);
      const eventsOf = (id: string) => events.filter((event) => event.agentId === id);
      const event = { agentId, taskId: "t1", timestamp: expect.stringMatching(ISO) };
      const types = ["agent.spawned", "agent.running", "agent.completed"];
      await expect.poll(() => eventsOf(agentId)).toEqual(types.map((type) => ({ ...event, type })));
      await expect
        .poll(() => eventsOf(failing))
        .toMatchObject([{}, { type: "agent.failed", error: "exit 1" }]);
    },
    LIMIT_MS,
  );
});

describe("three replicas", () => {
  let app: string;
  beforeAll(async () => {
    app = await buildExample(folder, "replicas");
  }, LIMIT_MS);

  test(
    "give each transition to one of the requests that race, and the current state to the others",
    async () => {
      const { server, replicas, cleanups, hasSession } = await fleet(app, 3);
      const latchkey = await connect({ url: server.url });
      onTestFinished(() => latchkey.close());
      const entities = await latchkey.machine(agent());
      const ids = await Promise.all(
        Array.from({ length: 12 }, (_, n) => spawn(at(replicas, n % 3), `t${n}`)),
      );

      await Promise.all(
        ids.map(async (id) => {
          const starts = await Promise.all(replicas.map((one) => one.call("POST", `/agents/${id}/start`)));
          expect(starts.map(({ status }) => status).sort()).toEqual([200, 409, 409]);

          const ways = ["complete", "fail", "kill"];
          const ends = await Promise.all(
            replicas.map((one, n) => one.call("POST", `/agents/${id}/${ways[n]}`, { error: "exit 1" })),
          );
          const won = ends.find(({ status }) => status === 200);
          const lost = ends.filter(({ status }) => status === 409);
          expect([won?.body.agentId, lost.length]).toEqual([id, 2]);
          for (const { body } of lost)
            expect(body).toMatchObject({ code: "ILLEGAL", current: { state: won?.body.status } });
          for (const replica of replicas)
            expect(await replica.call("GET", `/agents/${id}`)).toEqual({ status: 200, body: won?.body });
          const history = await entities.history(id);
          expect(history.map(({ state, actor }) => [state, actor])).toEqual([
            ["spawning", "ann"],
            ["running", "ann"],
            [won?.body.status, "ann"],
          ]);
        }),
      );

      await expect.poll(() => ids.filter(hasSession)).toEqual([]);
      await expect.poll(() => entities.reactions()).toMatchObject([IDLE, IDLE, IDLE]);
      expect(ids.map(cleanups)).toEqual(ids.map(() => 1));
      for (const replica of replicas)
        expect(await replica.call("GET", "/health")).toMatchObject({ status: 200, body: { status: "ok" } });
    },
    LIMIT_MS,
  );

  test(
    "recover the agents of a replica that is killed, and clean up each of them once",
    async () => {
      const { replicas, cleanups, hasSession } = await fleet(app, 3);
      const [victim, other, third] = [at(replicas, 0), at(replicas, 1), at(replicas, 2)];
      const ids = await Promise.all(["t1", "t2", "t3"].map((taskId) => spawn(victim, taskId)));
      const alive = await spawn(other, "t4");
      for (const id of [...ids, alive])
        expect((await third.call("POST", `/agents/${id}/start`)).status).toBe(200);
      for (const id of ids) await expect.poll(() => victim.output).toContain(`Agent ${id} has a lease`);

      await victim.end("SIGKILL");
      for (const id of ids) {
        const end = { status: "failed", error: "lease expired" };
        const state = async () => (await third.call("GET", `/agents/${id}`)).body;
        await expect.poll(state, { timeout: LIMIT_MS / 2 }).toMatchObject(end);
        await expect.poll(() => hasSession(id)).toBe(false);
      }
      expect((await third.call("GET", `/agents/${alive}`)).body).toMatchObject({ status: "running" });
      expect((await third.call("POST", `/agents/${alive}/complete`)).status).toBe(200);
      await expect.poll(() => hasSession(alive)).toBe(false);
      expect([...ids, alive].map(cleanups)).toEqual([1, 1, 1, 1]);
    },
    LIMIT_MS,
  );

  test(
    "let a handler finish if its replica is stopped meanwhile",
    async () => {
      const { webhook, url } = await Webhook.start();
      const { replicas, server } = await fleet(app, 3, { WEBHOOK_URL: url });
      const latchkey = await connect({ url: server.url });
      onTestFinished(() => latchkey.close());

      const id = await review(replicas, "t1");
      const call = await webhook.call(1);
      expect(call.body).toMatchObject({ agentId: id, verdict: "approved" });
      const stopped = replicas.find(({ pid }) => pid === call.body.replica);
      if (stopped === undefined) throw new Error("the call came from another process");
      const ended = stopped.end("SIGTERM");
      await expect.poll(() => stopped.output).toContain("Stopping");
      expect(call.isAborted()).toBe(false);
      call.answer();
      await ended;

      const rest = replicas.filter((replica) => replica !== stopped);
      const next = await review(rest, "t2");
      const later = await webhook.call(2);
      later.answer();
      expect(rest.map(({ pid }) => pid)).toContain(later.body.replica);
      const reviews = await latchkey.installed("review");
      await expect.poll(() => reviews?.reactions()).toMatchObject([IDLE]);
      expect(webhook.calls.map(({ key }) => key)).toEqual([`${id}:2`, `${next}:2`]);
    },
    LIMIT_MS,
  );
});

/** Has an agent complete, and approves its review. @returns the ID of both */
async function review(replicas: readonly Replica[], taskId: string): Promise<string> {
  const [first, last] = [at(replicas, 0), at(replicas, replicas.length - 1)];
  const id = await spawn(first, taskId);
  await last.call("POST", `/agents/${id}/start`);
  await first.call("POST", `/agents/${id}/complete`);
  await expect.poll(async () => (await last.call("GET", `/reviews/${id}`)).status).toBe(200);
  expect(await first.call("POST", `/reviews/${id}/approve`)).toMatchObject({
    status: 200,
    body: { actor: "ann" },
  });
  return id;
}
