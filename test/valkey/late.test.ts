import { expect, it, onTestFinished } from "vitest";
import { resolveOp } from "../../src/changes/op-lookup.js";
import { agent, connect, type Entities, OutcomeUnknownError } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { Deadline } from "../../src/valkey/deadline.js";
import { openConnection } from "../../src/valkey/open-connection.js";
import { ServerClock } from "../../src/valkey/server-clock.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { adminOf, ownServer } from "../helpers/doctor.js";
import { keyspace } from "../helpers/keyspace.js";
import { useValkey } from "../helpers/valkey.js";

/** Agents on a server of this test alone, which can be made to hold scripts back while it answers reads. */
async function onOwnServer() {
  const { server, admin } = await ownServer();
  const latchkey = await connect({ url: server.url, namespace: "t" });
  onTestFinished(() => latchkey.close());
  const agents: Entities<AgentState> = await latchkey.machine(agent());
  await agents.create("a1");
  return {
    agents,
    admin,
    another: () => adminOf(server),
    hold: (ms: number) => admin.call("CLIENT", "PAUSE", ms, "WRITE"),
    release: () => admin.call("CLIENT", "UNPAUSE"),
  };
}

it("a change that reaches the server after its caller has timed out is not executed", async () => {
  const { agents, admin, hold, release } = await onOwnServer();
  const before = await keyspace(admin, "t");
  await hold(60_000);
  const error = await rejectionOf(
    OutcomeUnknownError,
    agents.transition("a1", "running", { timeout: "400ms" }),
  );
  await release(); // what was held back comes to its turn now
  expect(await error.resolve()).toMatchObject({ outcome: "NOTDONE", current: { version: 1 } });
  expect(await keyspace(admin, "t")).toEqual(before);
});

it("a change that the server came to late is sent again as long as there is time", async () => {
  const { agents, hold } = await onOwnServer();
  await hold(1_200); // longer than the first attempt may wait
  expect(await agents.transition("a1", "running", { timeout: "20s" })).toMatchObject({ version: 2 });
  expect(await agents.history("a1")).toHaveLength(2);
});

it("the caller's own notAfter is no later for being retried", async () => {
  const { agents, hold, another } = await onOwnServer();
  const [seconds] = await (await another()).time();
  await hold(1_200);
  const result = await agents.tryTransition("a1", "running", {
    timeout: "20s",
    notAfter: Number(seconds) * 1000,
  });
  expect(result).toMatchObject({ ok: false, outcome: "EXPIRED" });
});

it("the server's time is estimated without another question, and never later than it is", async () => {
  const valkey = await admin();
  const clock = new ServerClock(valkey);
  const known = await clock.know();
  for (let n = 0; n < 100; n++) {
    const earliest = known.earliest(performance.now());
    const [seconds, micros] = await valkey.time();
    expect(earliest).toBeLessThanOrEqual(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000));
  }
  clock.forget();
  const again = await clock.know();
  const [one, other] = [known.earliest(performance.now()), again.earliest(performance.now())];
  expect(Math.abs(one - other)).toBeLessThan(10_000);
});

it("the outcome of a change is found from a position before it, though the agent has forgotten its key", async () => {
  const { url } = await useValkey();
  const home = await client();
  const agents = await home.machine(agent());
  const seen = await agents.position("a1");
  await agents.create("a1");
  await agents.patch("a1", { set: { n: 0 }, op: "mine" });
  for (let n = 1; n <= 41; n++) await agents.patch("a1", { set: { n } }); // "mine" is forgotten
  const connection = await openConnection({ url });
  onTestFinished(() => connection.close());
  const location = { namespace: home.namespace, partitions: 1, machine: "agent" };
  const open = { location, id: "a1", op: "mine", seen, isShared: true, untilMs: 0 };
  expect(await resolveOp(connection, open, Deadline.in(20_000))).toMatchObject({
    outcome: "DONE",
    version: 2,
  });
  const { op } = await agents.patch("a1", { set: { n: 42 } });
  const latest = { ...open, op: op ?? "" };
  expect(await resolveOp(connection, latest, Deadline.in(20_000))).toMatchObject({
    outcome: "DONE",
    document: { n: 42, opVersion: 44 },
  });
});
