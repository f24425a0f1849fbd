import { describe, expect, test } from "vitest";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { CLUSTER, CLUSTER_CHECKS, commandsIn } from "../../src/doctor/permissions/commands.js";
import { ROLES } from "../../src/doctor/permissions/role-names.js";
import { commandsOf } from "../../src/doctor/permissions/roles.js";
import { samplesOf } from "../../src/doctor/permissions/samples.js";
import { manifest, type Operation, scripts } from "../../src/lua/index.js";
import { Calls, machine } from "../helpers/calls.js";
import { adminOf, user } from "../helpers/doctor.js";
import { parcel } from "../helpers/parcel.js";
import { ALL_SCRIPTS } from "../helpers/role.js";
import { useValkey } from "../helpers/valkey.js";

const location = { namespace: "here", machine: "agent", partitions: 1 };
const operations = Object.keys(scripts) as Operation[];

describe("the commands of a script", () => {
  test.each(operations)("are in %s those that the manifest lists for other clients", (operation) => {
    expect(commandsIn(scripts[operation])).toEqual(manifest.operations[operation].permissions);
  });

  test("are all written out, so that no call is missed", () => {
    for (const { text } of ALL_SCRIPTS) {
      const code = text.replace(/--.*$/gm, "");
      const calls = [...code.matchAll(/\b(?:call|acl_check_cmd|may)\s*\(([^,)]*)/g)].map(
        ([, first = ""]) => first,
      );
      // These two run or check the commands of a table, each of which is written out elsewhere.
      const indirect = calls.filter((first) => !/^'[A-Z]+'$/.test(first) && !/^cjson|^struct/.test(first));
      expect(indirect.filter((first) => !first.startsWith("unpack(command"))).toEqual([]);
      const named = [...code.matchAll(/\{ '([A-Z]+)', [a-z_]*key/g)].map(([, name = ""]) =>
        name.toLowerCase(),
      );
      const found = commandsIn({ text }).map((name) => name.split("|")[0]);
      expect(named.filter((name) => !found.includes(name))).toEqual([]);
    }
  });
});

describe("the commands of roles", () => {
  test("have a sample call each, by which the doctor checks them", () => {
    const commands = new Set([...ROLES.flatMap(commandsOf), ...CLUSTER, ...CLUSTER_CHECKS, "select"]);
    for (const command of commands) {
      for (const words of samplesOf(command, location)) {
        expect(words.join(" ").toLowerCase()).toContain(command.replace("|", " "));
      }
    }
    expect(() => samplesOf("flushall", location)).toThrow("has no sample call of flushall");
  });

  test.each(ROLES)("include for a %s all that a reader needs", (role) => {
    expect(commandsOf(role)).toEqual(expect.arrayContaining([...commandsOf("reader")]));
  });

  test("are enough for every write of the scripts", async () => {
    const server = await useValkey();
    const standing = await machine(parcel);
    await standing.ok("create", "p1", "SET", "m", "1");
    const rules = allRules({ roles: ["writer"], namespace: standing.namespace });
    const { username, password } = await user(server, ...rules);
    const calls = new Calls(await adminOf(server, { username, password }), "parcel", standing.namespace);
    for (let n = 0; n < 4; n++) await calls.ok("patch", "p1", "SET", "n", n);
    await calls.ok("transition", "p1", "sent", "UNSET", "m");
    await calls.ok("transition", "p1", "packed");
    await calls.ok("remove", "p1");
    expect((await calls.apply({ ...parcel, version: 2 }))[0]).toBe("OK");
    const none = new Calls(calls.valkey, "none", calls.namespace).keys("p2");
    expect(await calls.error("patch", none, ["p2", "SET", "n", "1"])).toMatch(/^NOMACHINE/);
  });
});
