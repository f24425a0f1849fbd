import { beforeAll, describe, expect, test } from "vitest";
import { allRules } from "../../src/doctor/permissions/acl.js";
import type { Role } from "../../src/doctor/permissions/role-names.js";
import { agent } from "../../src/index.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, type CommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { startLatchkey } from "../helpers/long-run.js";
import { CHANGES, LOOKS, OPERATIONS } from "../helpers/role-work.js";
import { isValkey } from "../helpers/server-program.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

/** Returns how an error names the reader of a namespace. Redis 7.0 does not tell the user. */
const readerOf = (namespace: string): string => (isValkey ? `user ${namespace}-reader` : "the user");

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
  "lua load",
  "acl",
  "restore",
  "import",
  "__complete",
];
/** Creates a user with the permissions of a role, and returns its environment. */
async function userOf(kind: Role, { namespace, env }: CommandLine): Promise<NodeJS.ProcessEnv> {
  const name = `${namespace}-${kind}`;
  await (await admin()).call(
    "ACL",
    "SETUSER",
    name,
    "reset",
    "on",
    ">few",
    ...allRules({ roles: [kind], namespace }),
  );
  const { host, port } = await useValkey();
  return { ...env, LATCHKEY_URL: `valkey://${name}@${host}:${port}`, LATCHKEY_PASSWORD: "few" };
}

/** Creates a namespace with agent a1, and a user. */
async function used(kind: Role) {
  const line = await agentCommandLine();
  const { agents } = line;
  await agents.create("a1");
  await agents.transition("a1", "running");
  const env = await userOf(kind, line);
  const run = (words: string, more: NodeJS.ProcessEnv = {}) =>
    line.run(words.split(" "), { ...env, ...more });
  return { ...line, run };
}

/** Creates a user of a namespace in which agent a1 is overdue. */
async function withTimeUp(kind: Role) {
  const line = await commandLine();
  const agents = await line.latchkey.machine(agent({ version: 2, spawnTimeout: 1 }));
  await agents.create("a1");
  return { ...line, agents, env: await userOf(kind, line) };
}

describe("the roles of users", () => {
  test("are tested with every command", async () => {
    const { buildProgram } = await import("../../src/cli/program.js");
    const { ProcessContext } = await import("../../src/cli/process-context.js");
    const program = await buildProgram(new ProcessContext(), [], () => {});
    const names = program.commands.flatMap((command) =>
      command.name() === "lua"
        ? command.commands.map((one) => `lua ${one.name()}`)
        : [command.name(), ...command.commands.map((one) => `${command.name()} ${one.name()}`)],
    );
    const tested = [...LOOKS, ...CHANGES, ...OPERATIONS].map(
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

test("a reader who changes something gets the role that may: 7", async () => {
  const { run, namespace, agents } = await used("reader");
  const cases: [words: string, call: string, missing: string][] = [
    ["create a9", "create agent a9", "hget"],
    ["transition a1 completed", "transition agent a1", "hget"],
    ["patch a1 --set n=1", "patch agent a1", "hget"],
  ];
  for (const [words, call, missing] of cases) {
    const { exit, stdout, stderr } = await run(words);
    expect([exit, stdout]).toEqual([7, ""]);
    expect(stderr).toBe(
      `error: ${call} was not executed: ${readerOf(namespace)} lacks the permission +${missing}, which the role writer has; ` +
        `\`latchkey acl --role writer\` prints its ACL line (NOPERM ${missing})\n` +
        "  try: node bin/latchkey.js acl --role writer\n",
    );
  }
  expect(await agents.get("a9")).toBeNull();
  expect(await agents.get("a1")).toMatchObject({ state: "running", version: 2 });
});

test("a reader who prepares a namespace gets the whole command of the role that may: 7", async () => {
  const line = await commandLine();
  expect(await line.run(["init"], await userOf("reader", line))).toEqual({
    exit: 7,
    stdout: "",
    stderr:
      `error: init ${line.namespace} was rejected: ${readerOf(line.namespace)} lacks the permission +hsetnx; ` +
      "`latchkey acl --role ROLE` prints the ACL line of a role (NOPERM hsetnx)\n" +
      "  try: node bin/latchkey.js acl --role writer\n",
  });
  expect(line.latchkey.partitions).toBeUndefined();
});

describe("a user who may not fire timers", () => {
  test("ends a sweep, which names the missing permission: 7", async () => {
    const { env, namespace } = await withTimeUp("reader");
    const sweeping = await startLatchkey(["sweep", "--interval", "10"], env);
    const { exit, stderr } = await sweeping.ended;
    expect(exit).toBe(7);
    expect(stderr).toBe(
      `error: expire agent a1 was not executed: ${readerOf(namespace)} lacks the permission +evalsha, ` +
        "which the role writer has; `latchkey acl --role writer` prints its ACL line (NOPERM evalsha)\n" +
        "  try: node bin/latchkey.js acl --role writer\n",
    );
  });

  test("gets the same error from a sweep that ends by itself, and from a heartbeat", async () => {
    const { env, run } = await withTimeUp("reader");
    const words = [
      ["sweep", "--once"],
      ["heartbeat", "a1"],
    ];
    const onAgent = (one: string[]) => run([...one, "-m", "agent", "-o", "jsonl"], env);
    for (const ended of await Promise.all(words.map(onAgent))) {
      expect(ended).toMatchObject({ exit: 7, stdout: "" });
      expect(jsonError(ended)).toMatchObject({
        code: "NOTEXECUTED",
        message: expect.stringMatching(/^(expire|heartbeat) agent a1 was (rejected|not executed): .*NOPERM/),
        hint: "node bin/latchkey.js acl --role writer -m agent",
      });
    }
  });
});

test.each([
  [["lua", "check"], "+function|list +script|exists"],
  [["lua", "load", "--functions"], "+function|load"],
])("%j, which a writer may not run, names all that it needs at once: 7", async (words, rights) => {
  const line = await commandLine();
  const env = await userOf("writer", line);
  const ended = await line.run(words, env);
  expect(ended).toMatchObject({ exit: 7, stdout: "" });
  const grant = `ACL SETUSER ${line.namespace}-writer ${rights}`;
  expect(ended.stderr).toContain(`\n  try: ${grant}\n`);
  await (await admin()).call(...(grant.split(" ") as [string, ...string[]]));
  expect(await line.run(words, env)).toMatchObject({ exit: 0, stderr: "" });
});
