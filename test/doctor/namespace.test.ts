import { describe, expect, test } from "vitest";
import { judgeLatency } from "../../src/doctor/checks/clock.js";
import { DoctorContext } from "../../src/doctor/context.js";
import { examine } from "../../src/doctor/examine.js";
import { agent } from "../../src/index.js";
import { library, scripts } from "../../src/lua/index.js";
import { admin } from "../helpers/calls.js";
import { client } from "../helpers/client.js";
import { Clocked } from "../helpers/clock.js";
import { connected, ownServer, result, results } from "../helpers/doctor.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

/** Creates a namespace with the agent machine. */
async function standing(partitions = 1) {
  const latchkey = await client();
  await latchkey.init(partitions);
  await latchkey.machine(agent());
  const { url } = await useValkey();
  const { namespace } = latchkey;
  return { url, namespace, meta: `{${namespace}}:meta`, valkey: await admin() };
}

describe("the namespace", () => {
  test("is ok with its partitions", async () => {
    const { meta: _, valkey: __, ...visit } = await standing(3);
    expect(await result("namespace", visit)).toMatchObject({
      level: "ok",
      status: `${visit.namespace} has layout 2, 3 partitions`,
    });
    expect(await result("machine/agent", visit)).toMatchObject({ level: "ok", status: "version 1" });
  });

  test("is info if it is empty, and stays empty", async () => {
    const visit = { url: (await useValkey()).url, namespace: freshNamespace() };
    const all = await results(visit);
    expect(all.find(({ id }) => id === "namespace")).toMatchObject({ level: "info", fix: "latchkey apply" });
    expect(all.filter(({ id }) => id.startsWith("machine"))).toEqual([]);
    expect(await (await admin()).exists(`{${visit.namespace}}:meta`)).toBe(0);
  });

  test("is info without a machine", async () => {
    const latchkey = await client();
    await latchkey.init();
    const visit = { url: (await useValkey()).url, namespace: latchkey.namespace };
    expect(await result("machines", visit)).toMatchObject({ level: "info", status: "none installed" });
  });

  test.each([
    [{ layout: "1" }, "fail", "has layout 1"],
    [{ layout: "" }, "fail", "has layout "],
    [{ partitions: "0" }, "fail", 'has "0" partitions'],
    [{ partitions: "many" }, "fail", 'has "many" partitions'],
    [{ partitions: "4097" }, "fail", 'has "4097" partitions'],
    [{ partitions: "4096" }, "ok", "has layout 2, 4096 partitions"],
  ])("with %j is %s", async (fields, level, status) => {
    const { valkey, meta, ...visit } = await standing();
    await valkey.hset(meta, fields);
    expect(await result("namespace", visit)).toMatchObject({ level, status: `${visit.namespace} ${status}` });
  });

  test("is info if it is partly initialized", async () => {
    const { valkey, meta, ...visit } = await standing();
    await valkey.hdel(meta, "partitions");
    expect(await result("namespace", visit)).toMatchObject({ level: "info", fix: "latchkey init" });
  });

  test("is info, and not empty, if the user may not read its keys", async () => {
    const { valkey, meta: _, ...visit } = await standing();
    await valkey.call("ACL", "SETUSER", visit.namespace, "on", ">sesame", "~other:*", "&*", "+@all");
    const stranger = { ...visit, username: visit.namespace, password: "sesame" };
    const outcome = await result("namespace", stranger);
    expect(outcome).toMatchObject({
      level: "info",
      status: "permission denied: needs this namespace's keys",
    });
    expect(await result("permissions", stranger)).toMatchObject({ level: "fail" });
  });

  test("fails if its metadata has another type, and other checks continue", async () => {
    const { valkey, meta, ...visit } = await standing();
    await valkey.del(meta);
    await valkey.set(meta, "x");
    const all = await results(visit);
    const of = (id: string) => all.find((one) => one.id === id);
    expect(of("namespace")).toMatchObject({
      level: "fail",
      status: `${meta} is not a hash`,
      fix: expect.stringContaining(`HSET ${meta} layout`),
    });
    expect(of("scripts")).toBeDefined();
    expect(of("unchecked")).toBeUndefined();
  });

  test("is checked on, if a key of a machine has another type: one line names the checks that this prevents", async () => {
    const { valkey, meta: _, ...visit } = await standing();
    await valkey.del(`{${visit.namespace}:0}:agent:machine`);
    await valkey.set(`{${visit.namespace}:0}:agent:machine`, "x");
    const all = await results(visit);
    expect(all.filter(({ id }) => id === "unchecked")).toEqual([
      {
        id: "unchecked",
        level: "warn",
        status: expect.stringMatching(/^127\.0\.0\.1:\d+ replies with WRONGTYPE$/),
        meaning: "3 checks not possible: machines, dates, event-logs",
        fix: "latchkey fsck",
      },
    ]);
    expect(all.find(({ id }) => id === "namespace")).toMatchObject({ level: "ok" });
  });
});

describe("a machine", () => {
  const key = (namespace: string, partition: number) => `{${namespace}:${partition}}:agent:machine`;

  test("fails if it is missing in some partitions or in all", async () => {
    const { valkey, meta: _, ...visit } = await standing(8);
    for (const partition of [1, 2]) await valkey.del(key(visit.namespace, partition));
    const some = { level: "fail", status: "not installed in partition 1, 2", fix: "latchkey apply" };
    expect(await result("machine/agent", visit)).toMatchObject(some);
    for (const partition of [3, 4, 5, 6]) await valkey.del(key(visit.namespace, partition));
    const many = { status: "not installed in partition 1, 2, 3, 4, 5 and 1 more" };
    expect(await result("machine/agent", visit)).toMatchObject(many);
    for (const partition of [0, 7]) await valkey.del(key(visit.namespace, partition));
    expect(await result("machine/agent", visit)).toMatchObject({ level: "fail", status: "not installed" });
  });

  test("fails if it has another layout", async () => {
    const { valkey, meta: _, ...visit } = await standing(2);
    await valkey.hset(key(visit.namespace, 1), "layout", "1");
    const expected = { level: "fail", status: "another layout in partition 1" };
    expect(await result("machine/agent", visit)).toMatchObject(expected);
  });

  test("fails if it differs between partitions", async () => {
    const { valkey, meta: _, ...visit } = await standing(2);
    await valkey.hset(key(visit.namespace, 1), { version: "2", definition: "{}" });
    const expected = { level: "fail", status: "versions 1 and 2, by partition" };
    expect(await result("machine/agent", visit)).toMatchObject(expected);
  });

  test("other than the built-in one is applied from its file", async () => {
    const { valkey, meta: _, ...visit } = await standing();
    await valkey.hset(`{${visit.namespace}:0}:machines`, "order", "1");
    const expected = { level: "fail", status: "not installed", fix: "latchkey apply -f order.yaml" };
    expect(await result("machine/order", visit)).toMatchObject(expected);
  });
});

describe("scripts", () => {
  test("are info if they are not loaded, and ok if they are", async () => {
    const { server, admin: own } = await ownServer();
    expect(await result("scripts", { url: server.url })).toMatchObject({
      level: "info",
      status: `not loaded: ${Object.keys(scripts).join(", ")}`,
    });
    for (const { text } of Object.values(scripts)) await own.script("LOAD", text);
    expect(await result("scripts", { url: server.url })).toMatchObject({ level: "ok" });
  });

  test("in a function library are ok if absent or equal, and a warning if different", async () => {
    const { server, admin: own } = await ownServer();
    const visit = { url: server.url };
    expect(await result("functions", visit)).toMatchObject({ level: "ok", status: "not loaded" });
    await own.call("FUNCTION", "LOAD", library);
    expect(await result("functions", visit)).toMatchObject({ level: "ok", status: "latchkey_v2 is loaded" });
    await own.call("FUNCTION", "LOAD", "REPLACE", `${library}\n-- another`);
    expect(await result("functions", visit)).toMatchObject({ level: "warn" });
  });

  test("of other programs that run endlessly fail, and nothing else is checked", async () => {
    const { server, admin: own } = await ownServer();
    await own.config("SET", "busy-reply-threshold", "20");
    const connection = await connected({ url: server.url });
    expect(await result("busy", { url: server.url })).toMatchObject({ level: "ok" });
    const endless = own.eval("while true do end", 0).catch((error: unknown) => error);
    await expect.poll(() => connection.client.ping().catch(String)).toContain("BUSY");
    const all = await examine(new DoctorContext(connection, { namespace: "here", machine: "agent" }));
    expect(all.map(({ id, level }) => [id, level])).toEqual([["busy", "fail"]]);
    await connection.client.script("KILL");
    await endless;
  });
});

describe("replication", () => {
  test("advises to require a replica only if there are two", async () => {
    const { server, admin: own } = await ownServer();
    const visit = { url: server.url };
    expect(await result("replicas", visit)).toMatchObject({ level: "info", status: "none" });
    expect(await result("role", visit)).toMatchObject({ level: "ok", status: "primary" });
    const { server: second, admin: secondAdmin } = await ownServer();
    await secondAdmin.call("REPLICAOF", server.host, String(server.port));
    await expect.poll(() => secondAdmin.info("replication")).toContain("link_status:up");
    const replicas = () => result("replicas", visit);
    expect(await replicas()).toMatchObject({
      level: "info",
      status: "1 connected, min-replicas-to-write 0",
      fix: "connect a second replica, then set min-replicas-to-write 1",
    });
    await own.config("SET", "min-replicas-to-write", "1");
    expect(await replicas()).toMatchObject({ level: "info", fix: "connect one more replica" });
    await own.config("SET", "min-replicas-to-write", "2");
    expect(await replicas()).toMatchObject({ level: "fail", fix: "connect 1 more" });

    const { admin: thirdAdmin } = await ownServer();
    await thirdAdmin.call("REPLICAOF", server.host, String(server.port));
    await expect.poll(() => thirdAdmin.info("replication")).toContain("link_status:up");
    await own.config("SET", "min-replicas-to-write", "1");
    expect(await replicas()).toMatchObject({ level: "ok" });
    await own.config("SET", "min-replicas-to-write", "0");
    expect(await replicas()).toMatchObject({ level: "info", fix: "CONFIG SET min-replicas-to-write 1" });

    const replica = { url: second.url };
    expect(await result("role", replica)).toMatchObject({
      level: "fail",
      fix: `connect to its primary: --url valkey://${server.host}:${server.port}`,
    });
    expect(await result("replicas", replica)).toMatchObject({ level: "ok" });
    await server.stop();
    await expect.poll(() => secondAdmin.info("replication")).toContain("link_status:down");
    expect(await result("replicas", replica)).toMatchObject({ level: "fail" });
  });
});

describe("time", () => {
  test.each([
    [0, "ok", /^equal within|^the local clock is \d{1,3} ms/],
    [5_000, "info", /^the local clock is \d+ ms ahead$/],
    [-5_000, "info", /^the local clock is \d+ ms behind$/],
    [3_600_000, "warn", /ms ahead$/],
  ])("a clock skew of %i ms is %s", async (off, level, status) => {
    const { url } = await useValkey();
    const outcome = await result("clock", { url, now: () => Date.now() + off });
    expect(outcome).toMatchObject({ level, status: expect.stringMatching(status) });
  });

  test.each([
    [0.314, "ok", "0.31 ms"],
    [19.9, "ok", "20 ms"],
    [20, "info", "20 ms"],
    [200, "warn", "200 ms"],
  ])("a round trip of %d ms is %s", (ms, level, status) => {
    expect(judgeLatency(ms)).toMatchObject({ level, status });
  });

  test("measures a round trip", async () => {
    const { url } = await useValkey();
    expect((await result("latency", { url })).status).toMatch(/^\d+(\.\d+)? ms$/);
  });
});

test("an examination fails if the connection is lost", async () => {
  const { server } = await ownServer();
  const connection = await connected({ url: server.url });
  const context = new DoctorContext(connection, { namespace: "here", machine: "agent" });
  await context.identity();
  await server.stop();
  await expect(examine(context)).rejects.toThrow();
});

describe("entities that are dated ahead of the server's clock", () => {
  test("are counted, and fsck repairs them", async () => {
    const { valkey, meta: _, ...visit } = await standing(2);
    expect(await result("dates", visit)).toMatchObject({ level: "ok" });
    const ahead = new Clocked(valkey, "agent", visit.namespace);
    ahead.nowMs = Date.now() + 3_600_000;
    await ahead.ok("create", "late");
    expect(await result("dates", visit)).toMatchObject({
      level: "warn",
      status: "dated ahead of the server's clock: 1 agent entity",
      fix: "latchkey fsck --repair",
    });
    expect(await valkey.zscore(ahead.key("index"), "late")).not.toBeNull();
  });
});
