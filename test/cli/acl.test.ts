import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { allRules, userLine } from "../../src/doctor/permissions/acl.js";
import { built, root } from "../helpers/built.js";
import { adminOf, ownServer } from "../helpers/doctor.js";
import { freshFolder } from "../helpers/folder.js";
import { tryRun } from "../helpers/run.js";

beforeAll(built);

/** A server that does not exist: the command connects to none. */
const NOWHERE = "valkey://127.0.0.1:1";

const acl = (words: string, env: NodeJS.ProcessEnv = {}) =>
  tryRun(process.execPath, ["bin/latchkey.js", "acl", ...words.split(" ").filter(Boolean)], {
    cwd: root,
    env: { PATH: process.env.PATH, LATCHKEY_URL: NOWHERE, ...env },
  });

describe("acl", () => {
  test("prints the line of a role without a server, and what to replace", async () => {
    const ended = await acl("--role writer");
    expect(ended).toEqual({
      exit: 0,
      stdout: `${userLine({ roles: ["writer"], namespace: "latchkey" })}\n`,
      stderr:
        "replace >PASSWORD with > and the password; run the line on every server, because Valkey does not replicate users\n",
    });
    expect(ended.stdout).toMatch(
      /^ACL SETUSER latchkey-writer reset on >PASSWORD resetchannels ~\{latchkey:\* /,
    );
  });

  test("prints an object for programs", async () => {
    const { stdout, stderr } = await acl(
      "--role reader,reactor -m agent --user bob -o json --namespace staging",
    );
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      namespace: "staging",
      machine: "agent",
      roles: ["reader", "reactor"],
      name: "bob",
      line: expect.stringMatching(/^ACL SETUSER bob reset on /),
    });
  });

  test("adds the commands of the place that the URL names: a cluster, or a database", async () => {
    const line = async (words: string, url = NOWHERE) =>
      (await acl(`--role reader ${words}`, { LATCHKEY_URL: url })).stdout;
    const [plain, cluster, byUrl, database] = [
      await line(""),
      await line("--cluster"),
      await line("", "valkey+cluster://a:1,b:2"),
      await line("", `${NOWHERE}/3`),
    ];
    expect(cluster).toContain(
      " +asking +client|setname +cluster|countkeysinslot +cluster|info +cluster|nodes +cluster|slots ",
    );
    expect((await acl("--role writer --cluster")).stdout).toContain(" +cluster|info +cluster|slots ");
    expect(byUrl).toBe(cluster);
    expect(database).toContain(" +select ");
    expect(plain).not.toMatch(/\+(cluster|asking|select)/);
  });

  test.each([
    ["", "acl needs a role"],
    ["--role riter", 'unknown role "riter"; did you mean "writer"?'],
    ["--role reactor --functions", "the function library does not have the scripts of the role reactor"],
    ["--role reader --user a'b", "--user must be a name without blanks, quotes and backslashes"],
  ])("rejects %j", async (words, message) => {
    const ended = await acl(words);
    expect(ended).toMatchObject({ exit: 2, stdout: "" });
    expect(ended.stderr).toContain(message);
  });

  test("completes the names of roles", async () => {
    const { stdout } = await tryRun(
      process.execPath,
      ["bin/latchkey.js", "__complete", "--", "acl", "--role", "re"],
      { cwd: root },
    );
    expect(stdout).toBe("reader\nreactor\nrestorer\n");
  });
});

describe("the line", () => {
  test("takes away what a user had before, also if the server gives all channels to new users", async () => {
    const { admin } = await ownServer({ args: ["--acl-pubsub-default", "allchannels"] });
    await admin.call("ACL", "SETUSER", "here-reader", "on", "nopass", "~*", "&*", "+@all");
    const line = userLine({ roles: ["reader"], namespace: "here" }).split(" ");
    await admin.call(...(line as [string, ...string[]]));
    const users = (await admin.call("ACL", "LIST")) as string[];
    const [own = ""] = users.filter((user) => user.startsWith("user here-reader "));
    expect(own).toContain(" %R~{here:* %R~{here}:meta resetchannels &here:* -@all +");
    expect(own).not.toMatch(/nopass|allchannels| ~\*/);
  });

  test("with --add keeps the password and the scripts of the other version", async () => {
    const { server, admin } = await ownServer();
    const older = `+evalsha|${"0".repeat(40)}`;
    await admin.call("ACL", "SETUSER", "here-writer", "on", ">old", "~{here:*", older);
    const line = userLine({ roles: ["writer"], namespace: "here", add: true }).split(" ");
    await admin.call(...(line as [string, ...string[]]));
    const writer = await adminOf(server, { username: "here-writer", password: "old" });
    expect(await writer.hget("{here}:meta", "layout")).toBeNull();
    const [own = ""] = ((await admin.call("ACL", "LIST")) as string[]).filter((user) =>
      user.includes("here-writer"),
    );
    for (const rule of [older, ...allRules({ roles: ["writer"], namespace: "here" })])
      expect(own).toContain(rule);
  });

  test("works in an ACL file with `user` in place of `ACL SETUSER`", async () => {
    const file = join(await freshFolder(), "users.acl");
    const line = userLine({ roles: ["reactor"], namespace: "here" }).replace(/^ACL SETUSER/, "user");
    await writeFile(file, `user default on nopass ~* &* +@all\n${line}\n`);
    const { server } = await ownServer({ args: ["--aclfile", file] });
    const reactor = await adminOf(server, { username: "here-reactor", password: "PASSWORD" });
    expect(await reactor.hmget("{here}:meta", "layout")).toEqual([null]);
  });
});
