import { beforeAll, describe, expect, test } from "vitest";
import { allRules, type UserKind } from "../../src/doctor/permissions/acl.js";
import { agent } from "../../src/index.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { agentCommandLine, type CommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { startLatchkey } from "../helpers/long-run.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

/** Commands that use no server, or have a test of their own below. */
const APART = [
  "dev",
  "demo",
  "completion",
  "help",
  "lua list",
  "lua show",
  "lua sha",
  "lua path",
  "lua check",
  "restore",
  "import",
  "__complete",
];
/** Commands of a reader, and of a writer after it, with their exit codes if not 0. */
const LOOKS: readonly (readonly [words: string, exit?: number])[] = [
  ["machines"],
  ["graph --id a1"],
  ["get a1"],
  ["get a9", 4],
  ["list"],
  ["list --due-within 9h"],
  ["list --stuck"],
  ["count"],
  ["stats"],
  ["history a1"],
  ["wait a1 running"],
  ["events"],
  ["reactions"],
  ["reactions dead cleanup"],
  ["reactions pending cleanup"],
  ["doctor", 1], // the server has settings that are bad
  ["fsck"],
];
const CHANGES: readonly (readonly [words: string, exit?: number])[] = [
  ["init"],
  ["apply --error-unchanged", 3],
  ["create b1 --set taskId=t1"],
  ["create b2 --dry-run"],
  ["transition b1 running"],
  ["transition b1 spawning", 5],
  ["patch b1 --set n=1"],
  ["heartbeat b1", 5],
  ["sweep --once"],
  ["remove b1"],
  ["fsck --repair"],
  ["lua load"],
  ["reactions retry cleanup FIRST"],
  ["reactions drop cleanup SECOND"],
  ["reactions forget cleanup --force"],
];

/** Creates a user by the ACL line of the doctor, and returns its environment. */
async function userOf(kind: UserKind, { namespace, env }: CommandLine): Promise<NodeJS.ProcessEnv> {
  const name = `${namespace}-${kind}`;
  await (await admin()).call("ACL", "SETUSER", name, "reset", "on", ">few", ...allRules(kind, namespace));
  const { host, port } = await useValkey();
  return { ...env, LATCHKEY_URL: `valkey://${name}@${host}:${port}`, LATCHKEY_PASSWORD: "few" };
}

/** Creates a namespace with agent a1, its dead letters of the reaction `cleanup`, and a user. */
async function used(kind: UserKind) {
  const line = await agentCommandLine();
  const { agents } = line;
  const reaction = await agents.react("cleanup", () => Promise.reject(new Error("no")), {
    deadLetterAfter: 1,
  });
  await agents.create("a1");
  await agents.transition("a1", "running");
  const letters = agents.deadLetters("cleanup");
  await expect.poll(async () => (await all(letters)).length).toBe(2);
  await reaction.close();
  const env = await userOf(kind, line);
  const run = (words: string, more: NodeJS.ProcessEnv = {}) =>
    line.run(words.split(" "), { ...env, ...more });
  return { ...line, agents, letters: (await all(letters)).map(({ id }) => id), run, env };
}

/** Creates a user of a namespace in which agent a1 is overdue. */
async function withTimeUp(kind: UserKind) {
  const line = await commandLine();
  const agents = await line.latchkey.machine(agent({ version: 2, spawnTimeout: 1 }));
  await agents.create("a1");
  return { ...line, agents, env: await userOf(kind, line) };
}

describe("the doctor's own users", () => {
  test.each([
    ["reader", "every command that only reads", LOOKS],
    ["writer", "every command that only reads", LOOKS],
    ["writer", "every command that changes something", CHANGES],
  ] as const)("may run their commands: the %s %s", async (kind, _, commands) => {
    const { run, letters } = await used(kind);
    const [first = "", second = ""] = letters;
    for (const [words, exit = 0] of commands) {
      const ended = await run(words.replace("FIRST", first).replace("SECOND", second));
      const stderr = expect.not.stringContaining("NOPERM");
      expect([words, ended.exit, ended.stderr]).toEqual([words, exit, stderr]);
    }
  });

  test("are tested with every command", async () => {
    const { buildProgram } = await import("../../src/cli/program.js");
    const { ProcessContext } = await import("../../src/cli/process-context.js");
    const program = await buildProgram(new ProcessContext(), [], () => {});
    const names = program.commands.flatMap((command) =>
      command.name() === "lua"
        ? command.commands.map((one) => `lua ${one.name()}`)
        : [command.name(), ...command.commands.map((one) => `${command.name()} ${one.name()}`)],
    );
    const tested = [...LOOKS, ...CHANGES].map(
      ([words]) => names.filter((name) => `${words} `.startsWith(`${name} `)).at(-1) ?? words,
    );
    expect(names.filter((name) => !tested.includes(name) && !APART.includes(name))).toEqual([]);
  });

  test("complete states and ids", async () => {
    const { run } = await used("reader");
    const patient = { LATCHKEY_COMPLETION_MS: "20000" };
    const complete = async (words: string) => (await run(`__complete -- ${words}`, patient)).stdout;
    expect(await complete("transition a")).toBe("a1\n");
    expect(await complete("transition a1 c")).toBe("completed\n");
    // If the entity were unreadable, these would be all states.
    expect(await complete("transition a1 ")).toBe("completed\nfailed\nkilled\n");
    expect(await complete("wait a1 sp")).toBe("spawning\n");
  });
});

describe("a user who may not fire timers", () => {
  test("ends a sweep, which names the missing permission: 7", async () => {
    const { env, namespace } = await withTimeUp("reader");
    const sweeping = await startLatchkey(["sweep", "--interval", "10"], env);
    const { exit, stderr } = await sweeping.ended;
    expect(exit).toBe(7);
    expect(stderr).toBe(
      `error: expire agent a1 was not executed: user ${namespace}-reader lacks the permission +evalsha; ` +
        "`latchkey doctor` prints the ACL line that grants it (NOPERM evalsha)\n" +
        "  try: node bin/latchkey.js doctor\n",
    );
  });

  test("gets the same error from a sweep that ends by itself, and from a heartbeat", async () => {
    const { env, run } = await withTimeUp("reader");
    const words = [
      ["sweep", "--once", "-m", "agent"],
      ["heartbeat", "a1"],
    ];
    for (const ended of await Promise.all(words.map((one) => run([...one, "-o", "jsonl"], env)))) {
      expect(ended).toMatchObject({ exit: 7, stdout: "" });
      expect(jsonError(ended)).toMatchObject({
        code: "NOTEXECUTED",
        message: expect.stringMatching(/^(expire|heartbeat) agent a1 was (rejected|not executed): .*NOPERM/),
        hint: "node bin/latchkey.js doctor",
      });
    }
  });
});

test("restore needs a permission that no user's line grants, and the doctor's fix grants it", async () => {
  const { run, namespace } = await used("writer");
  const rejected = await run("restore a7 running --at-version 7");
  expect(rejected).toMatchObject({ exit: 7, stdout: "" });
  expect(rejected.stderr).toContain("NOPERM restore");
  const grant = `ACL SETUSER ${namespace}-writer +restore`;
  expect((await run("doctor")).stdout).toContain(`fix: ${grant}\n`);
  await (await admin()).call(...(grant.split(" ") as [string, ...string[]]));
  expect(await run("restore a7 running --at-version 7")).toMatchObject({ exit: 0, stderr: "" });
});

test.each([
  [["lua", "check"], "+function|list +script|exists"],
  [["lua", "load", "--functions"], "+function|load"],
])("%j, which no user's line allows, names all that it needs at once: 7", async (words, rights) => {
  const line = await commandLine();
  const env = await userOf("writer", line);
  const ended = await line.run(words, env);
  expect(ended).toMatchObject({ exit: 7, stdout: "" });
  const grant = `ACL SETUSER ${line.namespace}-writer ${rights}`;
  expect(ended.stderr).toContain(`\n  try: ${grant}\n`);
  await (await admin()).call(...(grant.split(" ") as [string, ...string[]]));
  expect(await line.run(words, env)).toMatchObject({ exit: 0, stderr: "" });
});
