import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { startValkey, type TestServer } from "../../src/testing/index.js";
import { adminOf, ownServer, result, results } from "../helpers/doctor.js";
import { freshFolder } from "../helpers/folder.js";

let server: TestServer;
let config: (...settings: string[]) => Promise<Valkey>;
beforeAll(async () => {
  server = await startValkey({ appendOnly: true });
  config = async (...settings) => {
    const admin = await adminOf(server);
    if (settings.length > 0) await admin.call("CONFIG", "SET", ...settings);
    return admin;
  };
});
afterAll(() => server.stop());

describe("settings", () => {
  test.each([
    ["appendfsync", "always", "ok"],
    ["appendfsync", "everysec", "info"],
    ["appendfsync", "no", "warn"],
    ["no-appendfsync-on-rewrite", "yes", "warn"],
    ["no-appendfsync-on-rewrite", "no", "ok"],
    ["maxmemory-policy", "allkeys-lru", "fail"],
    ["maxmemory-policy", "allkeys-random", "fail"],
    ["maxmemory-policy", "volatile-ttl", "ok"],
    ["maxmemory-policy", "noeviction", "ok"],
  ])("%s %s is %s, with a fix", async (id, value, level) => {
    await config(id, value);
    const outcome = await result(id, { url: server.url });
    expect(outcome).toMatchObject({ id, level, status: value });
    if (level === "ok") expect(outcome.fix).toBeUndefined();
    else expect(outcome.fix).toMatch(`CONFIG SET ${id} `);
  });

  test("fixes have their effect", async () => {
    const admin = await config(
      "appendfsync",
      "no",
      "no-appendfsync-on-rewrite",
      "yes",
      "maxmemory-policy",
      "allkeys-lru",
    );
    const ids = ["appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy"];
    const before = (await results({ url: server.url })).filter(({ id }) => ids.includes(id));
    expect(before.map(({ level }) => level)).toEqual(["warn", "warn", "fail"]);
    for (const { fix = "" } of before) await admin.call(...(fix.split(" ") as [string, ...string[]]));
    const after = (await results({ url: server.url })).filter(({ id }) => ids.includes(id));
    expect(after.map(({ level }) => level)).toEqual(["info", "ok", "ok"]);
  });

  test("loading a truncated file is a warning on versions that append after the truncated part", async () => {
    await config("aof-load-truncated", "yes");
    const isAffected = (await results({ url: server.url })).some(({ id }) => id === "defect/PR-4342");
    const loaded = await result("aof-load-truncated", { url: server.url });
    expect(loaded).toMatchObject({ status: "yes", level: isAffected ? "warn" : "ok" });
    await config("aof-load-truncated", "no");
    expect(await result("aof-load-truncated", { url: server.url })).toMatchObject({
      status: "no",
      level: "ok",
    });
  });
});

describe("persistence", () => {
  test("is ok by append-only file, a warning by snapshots only, and else a failure", async () => {
    expect(await result("appendonly", { url: server.url })).toMatchObject({ level: "ok", status: "yes" });
    const { server: plain, admin } = await ownServer();
    const none = await result("appendonly", { url: plain.url });
    expect(none).toMatchObject({ level: "fail", status: "no, and no snapshots" });
    await admin.config("SET", "save", "3600 1");
    expect(await result("appendonly", { url: plain.url })).toMatchObject({
      level: "warn",
      status: "no, snapshots only (save 3600 1)",
    });
    expect(await result("appendfsync", { url: plain.url })).toMatchObject({ level: "ok" });
  });

  test("is a warning without append-only file if the user may not read the snapshot settings", async () => {
    const { server: plain, admin } = await ownServer();
    const rules = allRules({ roles: ["writer"], namespace: "here" });
    await admin.call("ACL", "SETUSER", "few", "reset", "on", ">few", ...rules);
    const visit = { url: plain.url, namespace: "here", username: "few", password: "few" };
    const outcome = await result("appendonly", visit);
    expect(outcome).toMatchObject({ level: "warn", fix: "CONFIG SET appendonly yes, then CONFIG REWRITE" });
    expect(outcome.status).toBe("no; snapshots unknown, because CONFIG GET needs +config|get");
    await admin.call("ACL", "SETUSER", "few", "+config|get");
    expect(await result("appendonly", visit)).toMatchObject({ level: "fail" });
  });

  test("fails if the server cannot write", async () => {
    const { server: plain, admin } = await ownServer({ dataDir: await freshFolder(), prefer: "local" });
    const folder = String(((await admin.config("GET", "dir")) as string[])[1]);
    expect(await result("disk", { url: plain.url })).toMatchObject({ level: "ok" });
    await mkdir(join(folder, "dump.rdb")); // blocks the name of the snapshot
    await admin.bgsave();
    await expect.poll(() => admin.info("persistence")).toContain("rdb_last_bgsave_status:err");
    expect(await result("disk", { url: plain.url })).toMatchObject({
      level: "fail",
      status: "failed: rdb_last_bgsave_status",
    });
  });
});

describe("the user default", () => {
  test("fails without all permissions if replay depends on them, with a fix", async () => {
    const { server: own, admin } = await ownServer({ appendOnly: true });
    const isAffected = (await results({ url: own.url })).some(({ id }) => id === "defect/PR-4342");
    await admin.call("ACL", "SETUSER", "boss", "on", ">boss", "~*", "&*", "+@all");
    const visit = { url: own.url, username: "boss", password: "boss" };
    expect(await result("default-user", visit)).toMatchObject({ level: "ok" });
    await admin.call("ACL", "SETUSER", "default", "off", "-@all");
    const before = await result("default-user", visit);
    expect(before.level).toBe(isAffected ? "fail" : "ok");
    if (!isAffected) return;
    expect(before.status).toBe("commands -@all, keys ~*, channels &*");
    const boss = await adminOf(own, { username: "boss", password: "boss" });
    await boss.call(...((before.fix ?? "").split(" ") as [string, ...string[]]));
    expect(await result("default-user", visit)).toMatchObject({ level: "ok" });
  });

  test("is a warning without all permissions if there is no append-only file", async () => {
    const { server: own, admin } = await ownServer();
    const isAffected = (await results({ url: own.url })).some(({ id }) => id === "defect/PR-4342");
    await admin.call("ACL", "SETUSER", "default", "resetkeys", "~other:*");
    expect((await result("default-user", { url: own.url })).level).toBe(isAffected ? "warn" : "ok");
  });
});

describe("memory", () => {
  test("is info without a limit, ok with free memory, a warning if nearly full, and a failure if full", async () => {
    const { server: own, admin } = await ownServer();
    // SETRANGE allocates on the server, because sent data would temporarily need the same memory again.
    await admin.setrange("ballast", 2 ** 25, "x");
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info("memory"))?.[1]);
    const level = async (limit: number) => {
      await admin.config("SET", "maxmemory", String(Math.round(limit)));
      return (await result("maxmemory", { url: own.url })).level;
    };
    expect(await level(0)).toBe("info");
    expect(await level(used * 2)).toBe("ok");
    expect(await level(used / 0.87)).toBe("warn");
    expect(await level(used / 0.98)).toBe("fail");
  });
});
