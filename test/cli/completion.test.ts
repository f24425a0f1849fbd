import { spawnSync } from "node:child_process";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { agent, partitionOf } from "../../src/index.js";
import { built, root } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, commandLine } from "../helpers/command-line.js";
import { freshFolder } from "../helpers/folder.js";
import { order } from "../helpers/order.js";
import { run } from "../helpers/run.js";

beforeAll(built);

/** A folder for PATH in which `latchkey` is this program. */
async function onPath(): Promise<string> {
  const folder = await freshFolder();
  await symlink(join(root, "bin/latchkey.js"), join(folder, "latchkey"));
  return folder;
}

/** A machine that is busy with other tests must not make the server late. */
const PATIENT = { LATCHKEY_COMPLETION_MS: "20000" };

async function complete(line: { run: Awaited<ReturnType<typeof commandLine>>["run"] }, ...words: string[]) {
  const { exit, stdout, stderr } = await line.run(["__complete", "--", ...words], PATIENT);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  return stdout.split("\n").filter((word) => word !== "");
}

describe("completion", () => {
  test("knows commands, options and formats without a server", async () => {
    const { run } = await commandLine();
    const line = {
      run: (words: readonly string[]) => run(words, { ...PATIENT, LATCHKEY_URL: "valkey://127.0.0.1:1" }),
    };
    const [verbs, options, formats, lua, shells] = await Promise.all([
      complete(line, "tr"),
      complete(line, "transition", "a1", "running", "--if"),
      complete(line, "graph", "-o", ""),
      complete(line, "lua", "sh"),
      complete(line, "completion", ""),
    ]);
    expect(verbs).toEqual(["transition"]);
    expect(options).toEqual(["--if-version", "--if-state"]);
    expect(formats).toEqual(["mermaid", "dot", "xstate", "machine", "table"]);
    expect(lua).toEqual(["show", "sha"]);
    expect(shells).toEqual(["bash", "zsh", "fish"]);
    expect(await complete(line, "lua", "show", "")).toEqual([
      "apply",
      "create",
      "expire",
      "get",
      "heartbeat",
      "patch",
      "remove",
      "restore",
      "transition",
    ]);
    // No server: the states of the built-in machine are the best guess, and ids are unknown.
    expect(await complete(line, "list", "--state", "sp")).toEqual(["spawning"]);
    expect(await complete(line, "get", "")).toEqual([]);
    expect(await complete(line, "-m", "order", "list", "--state", "")).toEqual([]);
  });

  test("knows ids, machines, states, and only the next states of an entity", async () => {
    const line = await agentCommandLine();
    const orders = await line.latchkey.machine(order);
    await orders.create("o1");
    for (const id of ["run:1", "run:2", "job-1"]) await line.agents.create(id);
    await line.agents.transition("run:1", "running");
    const [ids, none, machines, states, next, of, unknown, create] = await Promise.all([
      complete(line, "get", "run:"),
      complete(line, "get", "run:*"),
      complete(line, "list", "-m", ""),
      complete(line, "-m", "order", "list", "--state", "pa"),
      complete(line, "transition", "run:1", ""),
      complete(line, "transition", "-m", "order", "o1", ""),
      complete(line, "transition", "nobody", "k"),
      complete(line, "create", ""),
    ]);
    expect(ids).toEqual(["run:1", "run:2"]);
    expect(none).toEqual([]);
    expect(machines).toEqual(["agent", "order"]);
    expect(states).toEqual(["paid", "packed"]);
    expect(next).toEqual(["completed", "failed", "killed"]);
    expect(of).toEqual(["submitted", "cancelled"]);
    expect(unknown).toEqual(["killed"]);
    expect(create).toEqual([]);
  });

  test("goes on inside a list of states, behind = and behind help", async () => {
    const line = await agentCommandLine();
    const orders = await line.latchkey.machine(order);
    await orders.create("o1");
    const [list, ended, value, machine, location, help] = await Promise.all([
      complete(line, "list", "--state", "failed,ki"),
      complete(line, "list", "--state", "failed,"),
      complete(line, "list", "--state=failed,ki"),
      complete(line, "get", "--machine=or"),
      complete(line, "transition", "--machine=order", "o1", ""),
      complete(line, "help", "tra"),
    ]);
    expect(list).toEqual(["failed,killed"]);
    expect(ended).toEqual(["failed,spawning", "failed,running", "failed,completed", "failed,killed"]);
    expect(value).toEqual(["--state=failed,killed"]);
    expect(machine).toEqual(["--machine=order"]);
    expect(location).toEqual(["submitted", "cancelled"]);
    expect(help).toEqual(["transition"]);
  });

  test("does not offer removed ids, of which the index keeps tombstones", async () => {
    const line = await agentCommandLine();
    await line.agents.create("run:1");
    await (await admin()).zadd(`{${line.namespace}:0}:agent:index`, -1024, "run:2");
    expect(await complete(line, "get", "run:")).toEqual(["run:1"]);
  });

  test("offers at most 50 ids", async () => {
    const line = await agentCommandLine();
    await Promise.all(Array.from({ length: 60 }, (_, at) => line.agents.create(`a${at}`)));
    expect(await complete(line, "get", "a")).toHaveLength(50);
  });

  test("offers ids of all partitions", async () => {
    const line = await commandLine();
    await line.latchkey.init(4);
    const agents = await line.latchkey.machine(agent());
    await Promise.all(Array.from({ length: 240 }, (_, at) => agents.create(`a${at}`)));
    const ids = await complete(line, "get", "a");
    expect(ids).toHaveLength(50);
    expect(new Set(ids.map((id) => partitionOf(id, 4)))).toEqual(new Set([0, 1, 2, 3]));
  });

  test("works in bash, for ids at whose characters bash itself would split as well", async () => {
    const line = await agentCommandLine();
    await line.agents.create("run:x=1@a");
    const script = `
      source <(latchkey completion bash)
      # What bash does on TAB: it splits at its own word breaks, calls the function and takes COMPREPLY.
      tab() {
        COMP_LINE=$1 COMP_POINT=\${#1} COMPREPLY=()
        _latchkey
        printf '%s|' "\${COMPREPLY[@]}"
        echo
      }
      complete -p latchkey
      tab 'latchkey tra'
      tab 'latchkey get ru'
      tab 'latchkey get run:x=1'
      tab 'latchkey transition run:x=1@a '
      tab 'latchkey graph -f ${root}package.j'
    `;
    const env = { ...line.env, ...PATIENT, PATH: `${await onPath()}:${process.env.PATH}` };
    const printed = await run("bash", ["--norc", "-c", script], { cwd: root, env });
    expect(printed.split("\n")).toEqual([
      "complete -F _latchkey latchkey",
      "transition|",
      "run:x=1@a|",
      "1@a|",
      "running|failed|killed|",
      `${root}package.json|`,
      "",
    ]);
  });

  describe.each(["bash", "zsh", "fish"])("prints a script for %s", (shell) => {
    const isInstalled = spawnSync(shell, ["-c", "true"]).status === 0;

    test("that asks this program", async () => {
      const { run } = await commandLine();
      const { exit, stdout } = await run(["completion", shell]);
      expect(exit).toBe(0);
      expect(stdout).toContain("latchkey __complete -- ");
    });

    test.runIf(isInstalled)("that the shell can read", async () => {
      const { run } = await commandLine();
      const file = join(await freshFolder(), "completion");
      await writeFile(file, (await run(["completion", shell])).stdout);
      const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    });
  });

  test("rejects an unknown shell: 2", async () => {
    const { run } = await commandLine();
    const ended = await run(["completion", "tcsh"]);
    expect(ended).toMatchObject({ exit: 2, stdout: "" });
    expect(ended.stderr).toContain("Allowed choices are bash, zsh, fish.");
  });
});
