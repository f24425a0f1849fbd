import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { agent, compileMachine, toDot, toMermaid, toXState } from "../../src/index.js";
import { manifest, scripts } from "../../src/lua/index.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, type CommandLine, commandLine } from "../helpers/command-line.js";
import { freshFolder } from "../helpers/folder.js";
import { keyspace } from "../helpers/keyspace.js";

beforeAll(built);

const silent = { exit: 0, stderr: "" };
const agentJson = compileMachine(agent()).json;

const order = (version: number, states: string) =>
  `name: order\nversion: ${version}\ninitial: open\nstates:\n${states}`;

async function orderFile(version: number, states: string): Promise<string> {
  const path = join(await freshFolder(), "order.yaml");
  await writeFile(path, order(version, states));
  return path;
}

const STATES = "  open: { to: [packing, paid] }\n  packing: { to: [paid] }\n  paid: {}\n";
const WITHOUT_PACKING = "  open: { to: [paid] }\n  paid: {}\n";

describe("init", () => {
  test("fixes a fresh namespace to its partitions, once: later calls change nothing, or exit 6", async () => {
    const { run, namespace } = await commandLine();
    expect(await run(["init", "--partitions", "4"])).toEqual({
      ...silent,
      stdout: `namespace/${namespace} initialized: 4 partitions, layout 2\n`,
    });
    const [again, usual, strict, other] = await Promise.all([
      run(["init", "--partitions", "4"]),
      run(["init"]),
      run(["init", "--partitions", "4", "--error-unchanged", "-o", "json"]),
      run(["init", "--partitions", "1"]),
    ]);
    expect(again).toMatchObject({ exit: 0, stdout: expect.stringContaining("unchanged: 4 partitions") });
    expect(usual).toEqual(again);
    expect(strict.exit).toBe(3);
    expect(JSON.parse(strict.stdout)).toEqual({ namespace, layout: 2, partitions: 4, changed: false });
    expect(other).toMatchObject({ exit: 6, stdout: "" });
    expect(other.stderr).toContain("has 4 partitions, which cannot be changed");
  });

  test("rejects an invalid number of partitions: 2", async () => {
    const { run } = await commandLine();
    const ended = await Promise.all(["0", "4097", "x"].map((n) => run(["init", "--partitions", n])));
    expect(ended.map(({ exit }) => exit)).toEqual([2, 2, 2]);
  });
});

describe("apply", () => {
  test("installs the built-in agent machine; a second time nothing changes, 3 with --error-unchanged", async () => {
    const { run, latchkey } = await commandLine();
    expect(await run(["apply"])).toEqual({ ...silent, stdout: "machine/agent installed (version 1)\n" });
    expect((await latchkey.definition("agent"))?.definition.json).toBe(agentJson);
    expect(await run(["apply"])).toEqual({ ...silent, stdout: "machine/agent unchanged (version 1)\n" });
    expect(await run(["apply", "--error-unchanged"])).toMatchObject({ exit: 3 });
  });

  test("installs a file's machine, shows differences, and moves entities out of a dropped state", async () => {
    const { run, latchkey } = await commandLine();
    await run(["apply", "-f", await orderFile(1, STATES)]);
    const orders = await latchkey.installed("order");
    await orders?.create("o1");
    await orders?.transition("o1", "packing");
    const file = await orderFile(2, WITHOUT_PACKING);
    const refused = await run(["apply", "-f", file]);
    expect(refused).toMatchObject({ exit: 6, stdout: "" });
    expect(refused.stderr).toContain("entities are in states that this version drops (1 in packing)");
    const dry = await run(["apply", "-f", file, "--map", "packing=paid", "--dry-run"]);
    expect(dry.stdout).toBe(
      "machine/order updated from version 1 (version 2, dry run)\n" +
        "  version: 1 -> 2\n  states.open.to: - packing\n  states.packing: removed\n  1 entity in dropped state packing\n",
    );
    expect((await latchkey.definition("order"))?.definition.version).toBe(1);
    const done = await run(["apply", "-f", file, "--map", "packing=paid", "--actor", "ann", "-o", "json"]);
    expect(JSON.parse(done.stdout)).toMatchObject({ before: 1, version: 2, changed: true, moved: 1 });
    expect((await orders?.history("o1"))?.at(-1)).toMatchObject({ state: "paid", actor: "ann" });
  });

  test("the same version with another content exits 6, an older one 8", async () => {
    const { run } = await commandLine();
    await run(["apply", "-f", await orderFile(2, STATES)]);
    const [different, lower] = await Promise.all([
      run(["apply", "-f", await orderFile(2, WITHOUT_PACKING)]),
      run(["apply", "-f", await orderFile(1, STATES)]),
    ]);
    expect(different).toMatchObject({ exit: 6, stdout: "" });
    expect(different.stderr).toContain("version 2 is installed with another definition");
    expect(lower).toMatchObject({ exit: 8, stdout: "" });
    expect(lower.stderr).toContain("version 2 is installed, which is newer");
  });

  test("a dry run in a fresh namespace writes nothing at all", async () => {
    const { run, namespace } = await commandLine();
    const before = await keyspace(await admin(), namespace);
    expect(await run(["apply", "--dry-run"])).toEqual({
      ...silent,
      stdout: "machine/agent installed (version 1, dry run)\n",
    });
    expect(await keyspace(await admin(), namespace)).toEqual(before);
  });

  test("warns of states that are seldom meant", async () => {
    const { run } = await commandLine();
    const { exit, stderr } = await run(["apply", "-f", await orderFile(1, `${STATES}  lost: {}\n`)]);
    expect(exit).toBe(0);
    expect(stderr).toMatch(/^warning: states.lost: cannot be reached/);
  });

  test("invalid files and arguments are usage errors, each with its position: 2", async () => {
    const { run } = await commandLine();
    const broken = await orderFile(1, "  open: { to: [payd] }\n  paid: {}\n");
    const good = await orderFile(1, STATES);
    const ended = await Promise.all([
      run(["apply", "-f", broken]),
      run(["apply", "-f", "no-such.yaml"]),
      run(["apply", "-f", good, "-m", "invoice"]),
      run(["apply", "-m", "invoice"]),
      run(["apply", "-f", good, "--map", "packing"]),
      run(["apply", "-f", good, "--map", "a=b", "--map", "a=c"]),
    ]);
    expect(ended.map(({ exit, stdout }) => [exit, stdout])).toEqual(ended.map(() => [2, ""]));
    const errors = ended.map(({ stderr }) => stderr);
    expect(errors[0]).toContain(
      'order.yaml:5: states.open.to[0]: unknown state "payd"; did you mean "paid"?',
    );
    expect(errors[1]).toContain("machine file no-such.yaml: file not found");
    expect(errors[2]).toContain(`defines machine "order", but -m is "invoice"`);
    expect(errors[3]).toContain("add its file: -f invoice.yaml");
    expect(errors[4]).toContain("It must have the form old=new.");
    expect(errors[5]).toContain("a is given twice.");
  });
});

describe("graph", () => {
  test("draws the installed machine in each format, and marks the state of an entity", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const draw = async (...words: string[]) => (await run(["graph", ...words])).stdout;
    const [mermaid, dot, xstate, machine, table, marked, markedDot, markedTable] = await Promise.all([
      draw(),
      draw("-o", "dot"),
      draw("-o", "xstate"),
      draw("-o", "machine"),
      draw("-o", "table"),
      draw("--id", "a1"),
      draw("--id", "a1", "-o", "dot"),
      draw("--id", "a1", "-o", "table"),
    ]);
    expect(mermaid).toBe(toMermaid(agent()));
    expect(dot).toBe(toDot(agent()));
    expect(JSON.parse(xstate ?? "")).toEqual(toXState(agent()));
    expect(machine).toBe(`${agentJson}\n`);
    expect(table).toMatch(/^failed +final +<none> +error +completedAt +agent.failed +<none>$/m);
    expect(marked).toContain("  class spawning _now\n");
    expect(markedDot).toContain('  "spawning" [style="rounded,filled", fillcolor="gold"];\n');
    expect(markedTable).toMatch(/^\* +spawning +initial +running,failed,killed /m);
  });

  test("draws a file without a server, and the built-in agent if no machine is installed or no server runs", async () => {
    const { run } = await commandLine();
    const nowhere = { LATCHKEY_URL: "valkey://127.0.0.1:1" };
    const [file, fresh, unreachable, order] = await Promise.all([
      run(["graph", "-f", await orderFile(1, STATES), "-o", "dot"], nowhere),
      run(["graph"]),
      run(["graph"], nowhere),
      run(["graph", "-m", "order"]),
    ]);
    expect(file).toMatchObject({ ...silent, stdout: expect.stringContaining('digraph "order"') });
    expect(fresh).toEqual({
      exit: 0,
      stdout: toMermaid(agent()),
      stderr: "no machine is installed; this is the built-in agent machine\n",
    });
    // Whoever names a server wants to see what is there.
    expect(unreachable).toMatchObject({ exit: 7, stdout: "" });
    expect(order).toMatchObject({ exit: 4, stdout: "" });
  });

  test("rejects --id for formats without a mark, and for an absent entity", async () => {
    const { run } = await agentCommandLine();
    expect(await run(["graph", "--id", "a1", "-o", "xstate"])).toMatchObject({ exit: 2, stdout: "" });
    expect(await run(["graph", "--id", "a1"])).toMatchObject({ exit: 4, stdout: "" });
  });
});

describe("lua", () => {
  const local = async ({ run }: CommandLine, ...words: string[]) => {
    const ended = await run(["lua", ...words], { LATCHKEY_URL: "valkey://127.0.0.1:1" });
    expect(ended).toMatchObject(silent);
    return ended.stdout;
  };

  test("lists and shows the scripts without a server, byte for byte", async () => {
    const line = await commandLine();
    const [table, json, text, sha, path] = await Promise.all([
      local(line, "list"),
      local(line, "list", "-o", "json"),
      local(line, "show", "transition"),
      local(line, "sha", "transition"),
      local(line, "path"),
    ]);
    expect(table).toContain(scripts.transition.sha1);
    expect(table).toMatch(/^OPERATION +SHA1 +KEYS +ARGV\n/);
    expect(JSON.parse(json ?? "")).toEqual(manifest.operations);
    expect(text).toBe(scripts.transition.text);
    expect(sha).toBe(`${scripts.transition.sha1}\n`);
    expect(await readFile(join(String(path).trim(), "transition.lua"), "utf8")).toBe(scripts.transition.text);
  });

  test("loads scripts and functions into the server, and prints which it has", async () => {
    const { run } = await commandLine();
    const valkey = await admin();
    await valkey.script("FLUSH");
    await valkey.call("FUNCTION", "FLUSH");
    const check = async () => JSON.parse((await run(["lua", "check", "-o", "json"])).stdout);
    const names = [...Object.keys(scripts), "latchkey_v2 (functions)"];
    const known = (which: boolean[]) => names.map((script, at) => ({ script, known: which[at] }));
    expect(await check()).toMatchObject(known(names.map(() => false)));
    const loaded = await run(["lua", "load"]);
    expect(loaded.stdout).toContain(`transition loaded ${scripts.transition.sha1}\n`);
    expect(await check()).toMatchObject(known(names.map((_, at) => at < names.length - 1)));
    const functions = await run(["lua", "load", "--functions"]);
    expect(functions.stdout).toContain("latchkey_v2_transition loaded\n");
    expect(await check()).toMatchObject(known(names.map(() => true)));
    expect((await run(["lua", "check"])).stdout).toMatch(/^transition +[0-9a-f]{40} +loaded$/m);
  });

  test("a misspelt operation is wrong usage: 2", async () => {
    const { run } = await commandLine();
    const ended = await run(["lua", "show", "transitoin"]);
    expect(ended).toMatchObject({ exit: 2, stdout: "" });
    expect(ended.stderr).toContain('did you mean "transition"?');
  });
});
