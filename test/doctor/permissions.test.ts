import { describe, expect, test } from "vitest";
import { permissions } from "../../src/doctor/checks/permissions.js";
import { DoctorContext } from "../../src/doctor/context.js";
import { allRules, userLine } from "../../src/doctor/permissions/acl.js";
import {
  DURABILITY,
  FSCK_ONLY,
  REACTION_ONLY,
  STATS_ONLY,
  writerCommands,
} from "../../src/doctor/permissions/commands.js";
import { connected, ownServer, result, results, user, userOf } from "../helpers/doctor.js";
import { record } from "../helpers/recorder.js";
import { useValkey } from "../helpers/valkey.js";

/** Both ways to check permissions: by ACL DRYRUN, and by a transaction that is never executed. */
describe.each([
  ["checked by dry run", ["+acl|dryrun"]],
  ["checked by transaction", []],
])("permissions, %s", (_way, way) => {
  test("of a writer are sufficient", async () => {
    const visit = await userOf("writer", ...way);
    expect(await result("permissions", visit)).toMatchObject({
      level: "ok",
      status: `sufficient for user ${visit.username}`,
    });
  });

  test("of a reader are info, with the command that makes it a writer", async () => {
    const visit = await userOf("reader", ...way);
    const outcome = await result("permissions", visit);
    expect(outcome).toMatchObject({
      level: "info",
      status: `user ${visit.username} may read, and change nothing`,
    });
    await visit.admin.call(...((outcome.fix ?? "").split(" ") as [string, ...string[]]));
    expect(await result("permissions", visit)).toMatchObject({ level: "ok" });
  });

  test("of a reader without fsck are info that names the loss", async () => {
    const visit = await userOf("reader", ...way, "-type", "-llen");
    expect(await result("permissions", visit)).toMatchObject({
      level: "info",
      status: `user ${visit.username} may read, and change nothing`,
      meaning: "enough for get, list, history and events, but NOPERM for: fsck",
    });
    await visit.admin.call("ACL", "SETUSER", visit.username, "+type", "+llen", "-memory|usage", "-xpending");
    expect(await result("permissions", visit)).toMatchObject({
      meaning: "enough for get, list, history and events, but NOPERM for: reactions, stats",
    });
    await visit.admin.call("ACL", "SETUSER", visit.username, "+memory|usage", "+xpending");
    expect(await result("permissions", visit)).toMatchObject({
      meaning: "enough for get, list, history and events, and for fsck",
    });
  });

  test("of a writer without several optional commands are info that names each loss", async () => {
    const visit = await userOf("writer", ...way, "-type", "-wait");
    expect(await result("permissions", visit)).toMatchObject({
      level: "info",
      meaning: "enough for changes, but NOPERM for: durability, fsck",
      fix: `ACL SETUSER ${visit.username} +type +wait`,
    });
  });

  test("of a writer without CONFIG GET have a separate info with a fix, because durability fsync needs it", async () => {
    const visit = await userOf("writer", ...way);
    const outcome = await result("permissions/fsync", visit);
    expect(outcome).toMatchObject({
      level: "info",
      status: `user ${visit.username} lacks CONFIG GET`,
      fix: `ACL SETUSER ${visit.username} +config|get`,
    });
    expect(outcome.meaning).toContain("NotDurableError");
    expect((await result("permissions", visit)).meaning).toContain("except CONFIG GET");
    await visit.admin.call(...((outcome.fix ?? "").split(" ") as [string, ...string[]]));
    expect((await results(visit)).map(({ id }) => id)).not.toContain("permissions/fsync");
    expect((await result("permissions", visit)).meaning).not.toContain("CONFIG GET");
  });

  test("of a writer without RESTORE have a separate info with a fix, because only restore needs it", async () => {
    const visit = await userOf("writer", ...way, "+config|get");
    const outcome = await result("permissions/restore", visit);
    const fix = `ACL SETUSER ${visit.username} +restore`;
    expect(outcome).toMatchObject({ level: "info", status: `user ${visit.username} lacks RESTORE`, fix });
    expect((await result("permissions", visit)).meaning).toMatch(/, except RESTORE \(for restore\)$/);
    await visit.admin.call(...(fix.split(" ") as [string, ...string[]]));
    expect((await results(visit)).map(({ id }) => id)).not.toContain("permissions/restore");
    expect((await result("permissions", visit)).meaning).not.toContain("except");
  });

  test("of a reader, or of a writer without durability, do not mention CONFIG GET", async () => {
    for (const visit of [await userOf("reader", ...way), await userOf("writer", ...way, "-waitaof")]) {
      expect((await results(visit)).map(({ id }) => id)).not.toContain("permissions/fsync");
    }
  });

  test.each(writerCommands().filter((command) => !["multi", "info"].includes(command)))(
    "without %s fail, or are info if it is optional, and the fix grants exactly that",
    async (command) => {
      const visit = await userOf("writer", ...way, `-${command}`);
      const outcome = await result("permissions", visit);
      expect(outcome.level).toBe(
        [...DURABILITY, ...REACTION_ONLY, ...FSCK_ONLY, ...STATS_ONLY].includes(command) ? "info" : "fail",
      );
      expect(outcome.fix).toBe(`ACL SETUSER ${visit.username} +${command}`);
      await visit.admin.call(...((outcome.fix ?? "").split(" ") as [string, ...string[]]));
      expect(await result("permissions", visit)).toMatchObject({ level: "ok" });
    },
  );

  test("on the keys of another namespace only fail, and the fix grants the keys", async () => {
    const visit = await userOf("writer", ...way, "resetkeys", "~{other:*");
    const outcome = await result("permissions", visit);
    expect(outcome).toMatchObject({
      level: "fail",
      fix: `ACL SETUSER ${visit.username} ~{${visit.namespace}:* ~{${visit.namespace}}:meta`,
    });
  });

  test("without the namespace's metadata fail too", async () => {
    const visit = await userOf("writer", ...way, "resetkeys", "~{NS:*");
    expect(await result("permissions", visit)).toMatchObject({ level: "fail" });
  });

  test("on another channel only fail, and the fix grants the channel", async () => {
    const visit = await userOf("writer", ...way, "resetchannels", "&other:*");
    expect(await result("permissions", visit)).toMatchObject({
      level: "fail",
      fix: `ACL SETUSER ${visit.username} &${visit.namespace}:*`,
    });
  });
});

describe("permissions", () => {
  test("in another database include SELECT", async () => {
    const visit = await userOf("writer", "+acl|dryrun", "+select");
    const elsewhere = { ...visit, connection: await connected({ ...visit, url: `${visit.url}/1` }) };
    const look = async () =>
      permissions(new DoctorContext(elsewhere.connection, { namespace: visit.namespace, machine: "agent" }));
    expect(await look()).toMatchObject({ level: "ok" });
    await visit.admin.call("ACL", "SETUSER", visit.username, "-select");
    expect(await look()).toMatchObject({ level: "fail", fix: `ACL SETUSER ${visit.username} +select` });
    expect(await result("permissions", visit)).toMatchObject({ level: "ok" });
  });

  test("that cannot be checked fail, and the fix makes the user a writer", async () => {
    const visit = await user(await useValkey(), "-@all");
    const outcome = await result("permissions", visit);
    expect(outcome).toMatchObject({
      level: "fail",
      status: expect.stringContaining("unknown without +multi"),
    });
    await visit.admin.call(...((outcome.fix ?? "").split(" ") as [string, ...string[]]));
    expect(await result("permissions", visit)).toMatchObject({ level: "ok" });
  });

  test("of the default user exceed the needed ones: info with the command for a writer", async () => {
    const { url } = await useValkey();
    expect(await result("permissions", { url, namespace: "here" })).toMatchObject({
      level: "info",
      fix: userLine("writer", "here"),
    });
  });

  test("are checked without changes to the data", async () => {
    for (const way of [["+acl|dryrun"], []]) {
      const { server, admin } = await ownServer();
      const visit = await user(server, ...allRules("writer", "NS"), ...way);
      const recorder = await record(admin, `${visit.namespace}:agent:events`);
      await results(visit);
      expect(await recorder.published()).toEqual([]);
      expect(await admin.dbsize()).toBe(0);
      expect(await admin.script("EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")).toEqual([0]); // return 1
    }
  });
});

test("a user without permissions gets a fix for each denied check, and no check throws", async () => {
  const visit = await user(await useValkey(), "-@all");
  const all = await results(visit);
  const denied = all.filter(({ permission }) => permission !== undefined);
  expect(new Set(denied.map(({ permission }) => permission))).toEqual(
    new Set([
      "+info",
      "+config|get",
      "+acl|getuser",
      "+function|stats",
      "+function|list",
      "+script|exists",
      "+time",
      "+hmget",
    ]),
  );
  for (const { id, level, status, fix, permission } of denied) {
    expect([id, level, status, fix]).toEqual([
      id,
      "info",
      `permission denied: needs ${permission}`,
      `ACL SETUSER ${visit.username} ${permission}`,
    ]);
  }
  for (const ok of ["role", "server"]) expect(all.find(({ id }) => id === ok)?.level).toBe("ok");
  const grants = denied.map(({ permission }) => String(permission));
  await visit.admin.call("ACL", "SETUSER", visit.username, ...grants, ...allRules("writer", visit.namespace));
  expect((await results(visit)).filter(({ permission }) => permission !== undefined)).toEqual([]);
});
