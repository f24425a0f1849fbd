import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allRules } from "../../src/doctor/rights/lines.js";
import { startValkey, type TestServer } from "../../src/testing/index.js";
import { adminOf, finding, findings, ownServer } from "../helpers/doctor.js";
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
    ["appendfsync", "everysec", "note"],
    ["appendfsync", "no", "warn"],
    ["no-appendfsync-on-rewrite", "yes", "warn"],
    ["no-appendfsync-on-rewrite", "no", "ok"],
    ["maxmemory-policy", "allkeys-lru", "bad"],
    ["maxmemory-policy", "volatile-ttl", "bad"],
    ["maxmemory-policy", "noeviction", "ok"],
  ])("%s %s is %s, with the line that mends it", async (id, value, level) => {
    await config(id, value);
    const found = await finding(id, { url: server.url });
    expect(found).toMatchObject({ id, level, seen: value });
    if (level === "ok") expect(found.mend).toBeUndefined();
    else expect(found.mend).toMatch(`CONFIG SET ${id} `);
  });

  test("the lines that mend them do", async () => {
    const admin = await config(
      "appendfsync",
      "no",
      "no-appendfsync-on-rewrite",
      "yes",
      "maxmemory-policy",
      "allkeys-lru",
    );
    const ids = ["appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy"];
    const sick = (await findings({ url: server.url })).filter(({ id }) => ids.includes(id));
    expect(sick.map(({ level }) => level)).toEqual(["warn", "warn", "bad"]);
    for (const { mend = "" } of sick) await admin.call(...(mend.split(" ") as [string, ...string[]]));
    const well = (await findings({ url: server.url })).filter(({ id }) => ids.includes(id));
    expect(well.map(({ level }) => level)).toEqual(["note", "ok", "ok"]);
  });

  test("a torn file that is loaded as it is harms on versions that write behind the torn part", async () => {
    await config("aof-load-truncated", "yes");
    const isAffected = (await findings({ url: server.url })).some(({ id }) => id === "defect/PR-4342");
    const loaded = await finding("aof-load-truncated", { url: server.url });
    expect(loaded).toMatchObject({ seen: "yes", level: isAffected ? "warn" : "ok" });
    await config("aof-load-truncated", "no");
    expect(await finding("aof-load-truncated", { url: server.url })).toMatchObject({
      seen: "no",
      level: "ok",
    });
  });
});

describe("persistence", () => {
  test("by append-only file is ok, by snapshots only a warning, by nothing bad", async () => {
    expect(await finding("appendonly", { url: server.url })).toMatchObject({ level: "ok", seen: "yes" });
    const { server: plain, admin } = await ownServer();
    const none = await finding("appendonly", { url: plain.url });
    expect(none).toMatchObject({ level: "bad", seen: "no, and no snapshots" });
    await admin.config("SET", "save", "3600 1");
    expect(await finding("appendonly", { url: plain.url })).toMatchObject({
      level: "warn",
      seen: "no, snapshots only (save 3600 1)",
    });
    expect(await finding("appendfsync", { url: plain.url })).toMatchObject({ level: "ok" });
  });

  test("by no append-only file is a warning at least, where the user may not ask for snapshots", async () => {
    const { server: plain, admin } = await ownServer();
    const rules = allRules("writer", "here");
    await admin.call("ACL", "SETUSER", "few", "reset", "on", ">few", ...rules);
    const visit = { url: plain.url, namespace: "here", username: "few", password: "few" };
    const found = await finding("appendonly", visit);
    expect(found).toMatchObject({ level: "warn", mend: "CONFIG SET appendonly yes, then CONFIG REWRITE" });
    expect(found.seen).toBe("no; whether there are snapshots can't be asked without +config|get");
    await admin.call("ACL", "SETUSER", "few", "+config|get");
    expect(await finding("appendonly", visit)).toMatchObject({ level: "bad" });
  });

  test("that fails to write is bad", async () => {
    const { server: plain, admin } = await ownServer({ dataDir: await freshFolder(), prefer: "local" });
    const folder = String(((await admin.config("GET", "dir")) as string[])[1]);
    expect(await finding("disk", { url: plain.url })).toMatchObject({ level: "ok" });
    await mkdir(join(folder, "dump.rdb")); // stands where the snapshot is to go
    await admin.bgsave();
    await expect.poll(() => admin.info("persistence")).toContain("rdb_last_bgsave_status:err");
    expect(await finding("disk", { url: plain.url })).toMatchObject({
      level: "bad",
      seen: "failed: rdb_last_bgsave_status",
    });
  });
});

describe("the user default", () => {
  test("without all rights is bad where replay obeys them, with the line that mends it", async () => {
    const { server: own, admin } = await ownServer({ appendOnly: true });
    const isAffected = (await findings({ url: own.url })).some(({ id }) => id === "defect/PR-4342");
    await admin.call("ACL", "SETUSER", "boss", "on", ">boss", "~*", "&*", "+@all");
    const visit = { url: own.url, username: "boss", password: "boss" };
    expect(await finding("default-user", visit)).toMatchObject({ level: "ok" });
    await admin.call("ACL", "SETUSER", "default", "off", "-@all");
    const sick = await finding("default-user", visit);
    expect(sick.level).toBe(isAffected ? "bad" : "ok");
    if (!isAffected) return;
    expect(sick.seen).toBe("commands -@all, keys ~*, channels &*");
    const boss = await adminOf(own, { username: "boss", password: "boss" });
    await boss.call(...((sick.mend ?? "").split(" ") as [string, ...string[]]));
    expect(await finding("default-user", visit)).toMatchObject({ level: "ok" });
  });

  test("without all rights is a warning where nothing is replayed", async () => {
    const { server: own, admin } = await ownServer();
    const isAffected = (await findings({ url: own.url })).some(({ id }) => id === "defect/PR-4342");
    await admin.call("ACL", "SETUSER", "default", "resetkeys", "~other:*");
    expect((await finding("default-user", { url: own.url })).level).toBe(isAffected ? "warn" : "ok");
  });
});

describe("memory", () => {
  test("without a limit is a note, with room ok, nearly full a warning, full bad", async () => {
    const { server: own, admin } = await ownServer();
    // Made by the server itself: what it was sent would take as much again, for a while.
    await admin.setrange("ballast", 2 ** 25, "x");
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info("memory"))?.[1]);
    const level = async (limit: number) => {
      await admin.config("SET", "maxmemory", String(Math.round(limit)));
      return (await finding("maxmemory", { url: own.url })).level;
    };
    expect(await level(0)).toBe("note");
    expect(await level(used * 2)).toBe("ok");
    expect(await level(used / 0.87)).toBe("warn");
    expect(await level(used / 0.98)).toBe("bad");
  });
});
