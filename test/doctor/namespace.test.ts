import { describe, expect, test } from "vitest";
import { judgeLatency } from "../../src/doctor/checks/clock.js";
import { DoctorContext } from "../../src/doctor/context.js";
import { examine } from "../../src/doctor/examine.js";
import { agent } from "../../src/index.js";
import { library, scripts } from "../../src/lua/index.js";
import { admin } from "../helpers/calls.js";
import { client } from "../helpers/client.js";
import { connected, finding, findings, ownServer } from "../helpers/doctor.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

/** A namespace of this test, with P partitions and the agent machine. */
async function standing(partitions = 1) {
  const latchkey = await client();
  await latchkey.init(partitions);
  await latchkey.machine(agent());
  const { url } = await useValkey();
  const { namespace } = latchkey;
  return { url, namespace, meta: `{${namespace}}:meta`, valkey: await admin() };
}

describe("the namespace", () => {
  test("that is sound is ok, with its partitions", async () => {
    const { meta: _, valkey: __, ...visit } = await standing(3);
    expect(await finding("namespace", visit)).toMatchObject({
      level: "ok",
      seen: `${visit.namespace} has layout 1, 3 partitions`,
    });
    expect(await finding("machine/agent", visit)).toMatchObject({ level: "ok", seen: "version 1" });
  });

  test("that is fresh is a note, and stays fresh", async () => {
    const visit = { url: (await useValkey()).url, namespace: freshNamespace() };
    const all = await findings(visit);
    expect(all.find(({ id }) => id === "namespace")).toMatchObject({ level: "note", mend: "latchkey apply" });
    expect(all.filter(({ id }) => id.startsWith("machine"))).toEqual([]);
    expect(await (await admin()).exists(`{${visit.namespace}}:meta`)).toBe(0);
  });

  test("without a machine is a note", async () => {
    const latchkey = await client();
    await latchkey.init();
    const visit = { url: (await useValkey()).url, namespace: latchkey.namespace };
    expect(await finding("machines", visit)).toMatchObject({ level: "note", seen: "none installed" });
  });

  test.each([
    [{ layout: "2" }, "bad", "has layout 2"],
    [{ layout: "" }, "bad", "has layout "],
    [{ partitions: "0" }, "bad", 'has "0" partitions'],
    [{ partitions: "many" }, "bad", 'has "many" partitions'],
    [{ partitions: "4097" }, "bad", 'has "4097" partitions'],
    [{ partitions: "4096" }, "ok", "has layout 1, 4096 partitions"],
  ])("with %j is %s", async (fields, level, seen) => {
    const { valkey, meta, ...visit } = await standing();
    await valkey.hset(meta, fields);
    expect(await finding("namespace", visit)).toMatchObject({ level, seen: `${visit.namespace} ${seen}` });
  });

  test("that is half prepared is a note", async () => {
    const { valkey, meta, ...visit } = await standing();
    await valkey.hdel(meta, "partitions");
    expect(await finding("namespace", visit)).toMatchObject({ level: "note", mend: "latchkey init" });
  });

  test("whose keys this user may not read is a note, not a fresh one", async () => {
    const { valkey, meta: _, ...visit } = await standing();
    await valkey.call("ACL", "SETUSER", visit.namespace, "on", ">sesame", "~other:*", "&*", "+@all");
    const stranger = { ...visit, username: visit.namespace, password: "sesame" };
    const found = await finding("namespace", stranger);
    expect(found).toMatchObject({ level: "note", seen: "not allowed to look: needs this namespace's keys" });
    expect(await finding("rights", stranger)).toMatchObject({ level: "bad" });
  });

  test("whose facts are of another type is told, and the other checks go on", async () => {
    const { valkey, meta, ...visit } = await standing();
    await valkey.del(meta);
    await valkey.set(meta, "x");
    expect(await finding("namespace", visit)).toMatchObject({
      level: "warn",
      seen: "the server answered with WRONGTYPE",
    });
    expect(await finding("scripts", visit)).toBeDefined();
  });
});

describe("a machine", () => {
  const key = (namespace: string, partition: number) => `{${namespace}:${partition}}:agent:machine`;

  test("that is gone from some partitions, or from all, is bad", async () => {
    const { valkey, meta: _, ...visit } = await standing(8);
    for (const partition of [1, 2]) await valkey.del(key(visit.namespace, partition));
    const some = { level: "bad", seen: "is not in partition 1, 2", mend: "latchkey apply" };
    expect(await finding("machine/agent", visit)).toMatchObject(some);
    for (const partition of [3, 4, 5, 6]) await valkey.del(key(visit.namespace, partition));
    const many = { seen: "is not in partition 1, 2, 3, 4, 5 and 1 more" };
    expect(await finding("machine/agent", visit)).toMatchObject(many);
    for (const partition of [0, 7]) await valkey.del(key(visit.namespace, partition));
    expect(await finding("machine/agent", visit)).toMatchObject({ level: "bad", seen: "is not there" });
  });

  test("of another layout is bad", async () => {
    const { valkey, meta: _, ...visit } = await standing(2);
    await valkey.hset(key(visit.namespace, 1), "layout", "2");
    const bad = { level: "bad", seen: "another layout in partition 1" };
    expect(await finding("machine/agent", visit)).toMatchObject(bad);
  });

  test("that differs between partitions is bad", async () => {
    const { valkey, meta: _, ...visit } = await standing(2);
    await valkey.hset(key(visit.namespace, 1), { version: "2", definition: "{}" });
    const bad = { level: "bad", seen: "versions 1 and 2, by partition" };
    expect(await finding("machine/agent", visit)).toMatchObject(bad);
  });

  test("other than the built-in one is mended from its file", async () => {
    const { valkey, meta, ...visit } = await standing();
    await valkey.hset(meta, "machine:order", "1");
    const bad = { level: "bad", seen: "is not there", mend: "latchkey apply -f order.yaml" };
    expect(await finding("machine/order", visit)).toMatchObject(bad);
  });
});

describe("scripts", () => {
  test("that are not loaded are a note, and ok when they are", async () => {
    const { server, admin: own } = await ownServer();
    expect(await finding("scripts", { url: server.url })).toMatchObject({
      level: "note",
      seen: `not loaded: ${Object.keys(scripts).join(", ")}`,
    });
    for (const { text } of Object.values(scripts)) await own.script("LOAD", text);
    expect(await finding("scripts", { url: server.url })).toMatchObject({ level: "ok" });
  });

  test("of the Function library are ok where they are absent or these, and a warning where they are others", async () => {
    const { server, admin: own } = await ownServer();
    const visit = { url: server.url };
    expect(await finding("functions", visit)).toMatchObject({ level: "ok", seen: "not loaded" });
    await own.call("FUNCTION", "LOAD", library);
    expect(await finding("functions", visit)).toMatchObject({ level: "ok", seen: "latchkey_v1 is loaded" });
    await own.call("FUNCTION", "LOAD", "REPLACE", `${library}\n-- another`);
    expect(await finding("functions", visit)).toMatchObject({ level: "warn" });
  });

  test("of others that run on and on are bad, and nothing else is asked", async () => {
    const { server, admin: own } = await ownServer();
    await own.config("SET", "busy-reply-threshold", "20");
    const connection = await connected({ url: server.url });
    expect(await finding("busy", { url: server.url })).toMatchObject({ level: "ok" });
    const endless = own.eval("while true do end", 0).catch((error: unknown) => error);
    await expect.poll(() => connection.client.ping().catch(String)).toContain("BUSY");
    const all = await examine(new DoctorContext(connection, { namespace: "here", machine: "agent" }));
    expect(all.map(({ id, level }) => [id, level])).toEqual([["busy", "bad"]]);
    await connection.client.script("KILL");
    await endless;
  });
});

describe("replication", () => {
  test("to nobody is a note, to a replica too, and ok where changes need one", async () => {
    const { server, admin: own } = await ownServer();
    const visit = { url: server.url };
    expect(await finding("replicas", visit)).toMatchObject({ level: "note", seen: "none" });
    expect(await finding("role", visit)).toMatchObject({ level: "ok", seen: "primary" });
    const { server: second, admin: secondAdmin } = await ownServer();
    await secondAdmin.call("REPLICAOF", server.host, String(server.port));
    await expect.poll(() => secondAdmin.info("replication")).toContain("link_status:up");
    expect(await finding("replicas", visit)).toMatchObject({
      level: "note",
      seen: "1 connected, min-replicas-to-write 0",
      mend: "CONFIG SET min-replicas-to-write 1",
    });
    await own.config("SET", "min-replicas-to-write", "1");
    expect(await finding("replicas", visit)).toMatchObject({ level: "ok" });
    await own.config("SET", "min-replicas-to-write", "2");
    expect(await finding("replicas", visit)).toMatchObject({ level: "bad", mend: "connect 1 more" });

    const replica = { url: second.url };
    expect(await finding("role", replica)).toMatchObject({
      level: "bad",
      mend: `connect to its primary: --url valkey://${server.host}:${server.port}`,
    });
    expect(await finding("replicas", replica)).toMatchObject({ level: "ok" });
    await server.stop();
    await expect.poll(() => secondAdmin.info("replication")).toContain("link_status:down");
    expect(await finding("replicas", replica)).toMatchObject({ level: "bad" });
  });
});

describe("time", () => {
  test.each([
    [0, "ok", /^equal within|^this machine is \d{1,3} ms/],
    [5_000, "note", /^this machine is \d+ ms ahead$/],
    [-5_000, "note", /^this machine is \d+ ms behind$/],
    [3_600_000, "warn", /ms ahead$/],
  ])("a clock that is %i ms off is %s", async (off, level, seen) => {
    const { url } = await useValkey();
    const found = await finding("clock", { url, now: () => Date.now() + off });
    expect(found).toMatchObject({ level, seen: expect.stringMatching(seen) });
  });

  test.each([
    [0.314, "ok", "0.31 ms"],
    [19.9, "ok", "20 ms"],
    [20, "note", "20 ms"],
    [200, "warn", "200 ms"],
  ])("a round trip of %d ms is %s", (ms, level, seen) => {
    expect(judgeLatency(ms)).toMatchObject({ level, seen });
  });

  test("of a round trip is measured", async () => {
    const { url } = await useValkey();
    expect((await finding("latency", { url })).seen).toMatch(/^\d+(\.\d+)? ms$/);
  });
});

test("an examination whose connection is lost fails, and does not report on what it did not see", async () => {
  const { server } = await ownServer();
  const connection = await connected({ url: server.url });
  const context = new DoctorContext(connection, { namespace: "here", machine: "agent" });
  await context.greeting();
  await server.stop();
  await expect(examine(context)).rejects.toThrow();
});
