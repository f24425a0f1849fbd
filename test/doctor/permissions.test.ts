import { describe, expect, test } from "vitest";
import { permissions } from "../../src/doctor/checks/permissions.js";
import { DoctorContext } from "../../src/doctor/context.js";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { REACTOR_ONLY, WRITER_FEATURES } from "../../src/doctor/permissions/features.js";
import { commandsOf } from "../../src/doctor/permissions/roles.js";
import { connected, ownServer, result, results, user, userOf } from "../helpers/doctor.js";
import { record } from "../helpers/recorder.js";
import { hasWaitaof, isValkey, replaysAsUser } from "../helpers/server-program.js";
import { useValkey } from "../helpers/valkey.js";

/** The rules for everything that the doctor checks. */
const COMPLETE = [
  ...allRules({ roles: ["writer"], namespace: "NS" }),
  ...REACTOR_ONLY.map((command) => `+${command}`),
];

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

  test("of a writer do not include reactions, which the meaning says", async () => {
    const { level, meaning } = await result("permissions", await userOf("writer", ...way));
    expect(level).toBe("ok");
    expect(meaning).toContain("except reactions (`latchkey acl --role reactor`)");
    const complete = await result("permissions", await user(await useValkey(), ...COMPLETE, ...way));
    expect(complete.level).toBe("ok");
    expect(complete.meaning).not.toContain("reactions");
  });

  test.each([
    ["reader", "may read, and change nothing", "role reader"],
    ["reactor", "may read and handle events of reactions, and change nothing", "roles reader, reactor"],
    ["restorer", "may read, restore, import and remove entities", "roles reader, restorer"],
  ] as const)(
    "of a %s are info that names the role, and no advice widens them",
    async (role, work, roles) => {
      const visit = await userOf(role, ...way);
      const all = await results(visit);
      expect(all.filter(({ id }) => id === "permissions")).toEqual([
        {
          id: "permissions",
          level: "info",
          status: `user ${visit.username} ${work}`,
          meaning: `enough for the ${roles}: get, list, history and events, and fsck`,
        },
      ]);
      expect(all.filter(({ fix = "" }) => fix.includes("SETUSER") && fix.includes(visit.username))).toEqual(
        [],
      );
    },
  );

  test("of a reactor without a command fail, with the line that adds it for the keys of reactions", async () => {
    const visit = await userOf("reactor", ...way);
    await visit.admin.call("ACL", "SETUSER", visit.username, "clearselectors");
    const rules = allRules({ roles: ["reactor"], namespace: visit.namespace });
    const selectors = rules.filter((rule) => rule.startsWith("("));
    for (const rule of selectors)
      await visit.admin.call("ACL", "SETUSER", visit.username, rule.replace(" +xack", ""));
    const { level, status, fix } = await result("permissions", visit);
    expect([level, fix]).toEqual(["fail", `latchkey acl --role reactor --user ${visit.username} --add`]);
    expect(status).toContain("+xack");
  });

  test("of an operator are enough for all roles but two", async () => {
    const { level, meaning } = await result("permissions", await userOf("operator", ...way));
    expect([level, meaning]).toEqual([
      "ok",
      expect.stringMatching(/^enough for the roles writer, reader, operator: /),
    ]);
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
      meaning: "enough for the role reader: get, list, history and events, and fsck",
    });
  });

  test("of a writer without several optional commands are info that names each loss", async () => {
    const visit = await user(await useValkey(), ...COMPLETE, ...way, "-type", "-wait");
    expect(await result("permissions", visit)).toMatchObject({
      level: "info",
      meaning: "enough for changes, but NOPERM for: durability, fsck",
      fix: `ACL SETUSER ${visit.username} +type +wait`,
    });
  });

  test.runIf(hasWaitaof)(
    "of a writer do not include durability on disk, which the meaning says",
    async () => {
      const visit = await userOf("writer", ...way);
      const lack = " and durability on disk (`latchkey acl --fsync`)";
      expect((await result("permissions", visit)).meaning).toContain(lack);
      await visit.admin.call("ACL", "SETUSER", visit.username, "+config|get", "+waitaof");
      expect((await result("permissions", visit)).meaning).not.toContain(lack);
    },
  );

  test.each([...commandsOf("writer"), ...REACTOR_ONLY].filter((name) => !["multi", "info"].includes(name)))(
    "without %s fail, or are info if it is optional, and the fix grants exactly that",
    async (command) => {
      const rules = [...COMPLETE, ...way].filter((rule) => rule !== `+${command}`);
      const visit = await user(await useValkey(), ...rules);
      const outcome = await result("permissions", visit);
      const isOptional = WRITER_FEATURES.some(([commands]) => commands.includes(command));
      expect(outcome.level).toBe(isOptional ? "info" : "fail");
      expect(outcome.fix).toBe(`ACL SETUSER ${visit.username} +${command}`);
      await visit.admin.call(...((outcome.fix ?? "").split(" ") as [string, ...string[]]));
      expect(await result("permissions", visit)).toMatchObject({ level: "ok" });
    },
  );

  test("for the scripts of another version only fail, and the fix grants those of this version", async () => {
    const others = COMPLETE.filter((rule) => !rule.startsWith("+evalsha|"));
    const visit = await user(await useValkey(), ...others, `+evalsha|${"0".repeat(40)}`, ...way);
    const outcome = await result("permissions", visit);
    const count = COMPLETE.length - others.length;
    expect(outcome).toMatchObject({
      level: "fail",
      status: `user ${visit.username} lacks +evalsha of ${count} scripts of this version`,
    });
    await visit.admin.call(...((outcome.fix ?? "").split(" ") as [string, ...string[]]));
    expect(await result("permissions", visit)).toMatchObject({ level: "ok" });
  });

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

  test("that cannot be checked, or that are those of no role, fail, and the fix names the line of a role", async () => {
    const visit = await user(await useValkey(), "-@all");
    const fix = "create the user again with the line of its role, which `latchkey acl --role ROLE` prints";
    expect(await result("permissions", visit)).toMatchObject({
      level: "fail",
      status: expect.stringContaining("unknown without +multi"),
      fix,
    });
    await visit.admin.call("ACL", "SETUSER", visit.username, "+acl|dryrun");
    expect(await result("permissions", visit)).toMatchObject({
      level: "fail",
      status: `user ${visit.username} has the permissions of no role`,
      fix,
    });
  });

  test("of the default user exceed the needed ones: info with the command that prints a writer", async () => {
    const { url } = await useValkey();
    expect(await result("permissions", { url, namespace: "here" })).toMatchObject({
      level: "info",
      fix: "latchkey acl --role writer",
    });
  });

  test("are checked without changes to the data", async () => {
    for (const way of [["+acl|dryrun"], []]) {
      const { server, admin } = await ownServer();
      const visit = await user(server, ...COMPLETE, ...way);
      const recorder = await record(admin, `${visit.namespace}:agent:events`);
      await results(visit);
      expect(await recorder.published()).toEqual([]);
      expect(await admin.dbsize()).toBe(0);
      expect(await admin.script("EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")).toEqual([0]); // return 1
    }
  });
});

test("a user without permissions learns which one each denied check needs, and no check throws", async () => {
  const visit = await user(await useValkey(), "-@all");
  const all = await results(visit);
  const denied = all.filter(({ permission }) => permission !== undefined);
  expect(new Set(denied.map(({ permission }) => permission))).toEqual(
    new Set([
      "+info",
      "+config|get",
      ...(replaysAsUser ? ["+acl|getuser"] : []),
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
      "latchkey acl --role operator",
    ]);
  }
  const levels = new Map(all.map(({ id, level }) => [id, level]));
  expect([levels.get("role"), levels.get("server")]).toEqual(["ok", isValkey ? "ok" : "info"]);
  const grants = denied.map(({ permission }) => String(permission));
  const rules = allRules({ roles: ["writer"], namespace: visit.namespace });
  await visit.admin.call("ACL", "SETUSER", visit.username, ...grants, ...rules);
  expect((await results(visit)).filter(({ permission }) => permission !== undefined)).toEqual([]);
});
