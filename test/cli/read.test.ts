import { beforeAll, describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { defineMachine } from "../../src/index.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";

beforeAll(built);

const silent = { exit: 0, stderr: "" };
const order = defineMachine({
  name: "order",
  version: 3,
  initial: "open",
  states: { open: { to: ["paid"] }, paid: { require: ["receipt"] } },
  history: 2,
});

describe("get", () => {
  test("shows an entity: state, age, fields, next commands to paste, history with actor and reason", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1", { taskId: "t1" }, { actor: "scheduler" });
    const running = await agents.transition("a1", "running", { actor: "replica-3", reason: "picked up" });
    const { stdout, ...rest } = await run(["get", "a1"]);
    expect(rest).toEqual(silent);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe("agent/a1");
    expect(lines[1]).toBe("State:    running");
    expect(lines[2]).toMatch(/^Since: {4}\S+Z \(\d+s ago\), from spawning by replica-3 \(picked up\)$/);
    expect(lines[2]).toContain(running.since);
    expect(stdout).toContain("Version:  2\n");
    expect(stdout).toMatch(/^Changed: {2}\S+Z \(\d+s ago\), agent.running by replica-3 \(picked up\)$/m);
    expect(stdout).toMatch(/^ {2}taskId {5}"t1"$/m);
    expect(stdout).toMatch(/^ {2}startedAt {2}"\S+Z" {2}\(stamp\)$/m);
    const next = stdout.slice(stdout.indexOf("Next:\n"), stdout.indexOf("History:\n")).trim().split("\n");
    expect(next.map((line) => line.replace(/^.*latchkey(\.js)? /, ""))).toEqual([
      "Next:",
      "transition a1 completed",
      "transition a1 failed --set error=VALUE",
      "transition a1 killed",
    ]);
    expect(stdout).toMatch(/^ {2}VERSION +FROM +TO +WHEN +AGE +FORCED +ACTOR +REASON +FIELDS$/m);
    expect(stdout).toMatch(/^ {2}1 +<none> +spawning +\S+Z +\d+s +<none> +scheduler +<none> +taskId$/m);
    expect(stdout).toMatch(
      /^ {2}2 +spawning +running +\S+Z +\d+s +<none> +replica-3 +picked up +startedAt$/m,
    );
  });

  test("pasting a next step makes it", async () => {
    const line = await commandLine();
    const orders = await line.latchkey.machine(order);
    await orders.create("o=~1", { receipt: 1 });
    const { stdout } = await line.run(["get", "o=~1", "-m", "order"]);
    const [, words = ""] = /latchkey(?:\.js)? (transition .*)/.exec(stdout) ?? [];
    expect(words).toBe("transition 'o=~1' paid -m order");
    await line.run(words.replaceAll("'", "").split(" "));
    expect(await orders.get("o=~1")).toMatchObject({ state: "paid" });
  });

  test("a final state has no next step, and changes that the history has lost are counted", async () => {
    const line = await commandLine();
    const orders = await line.latchkey.machine(order);
    await orders.create("o1", { receipt: "r" });
    await orders.transition("o1", "paid", { actor: "till" });
    await orders.patch("o1", { set: { n: 1 } });
    await orders.patch("o1", { set: { n: 2 } });
    const { stdout } = await line.run(["get", "o1"], { LATCHKEY_MACHINE: "order" });
    expect(stdout).toContain("State:    paid (final)\n");
    expect(stdout).toMatch(/^Since: {4}\S+Z \(\d+s ago\)$/m);
    expect(stdout).toContain("Next: <none>\n");
    expect(stdout).toContain("History: (2 earlier changes are not kept)\n");
  });

  test("JSON is the document as it is stored, with all its digits, and YAML keeps them too", async () => {
    const { run, agents, namespace } = await agentCommandLine();
    await agents.create("a1", { n: 0, text: "true", list: [1, { a: "x: y" }], none: [] });
    const key = `{${namespace}:0}:agent:id:a1`;
    await (await admin()).hset(key, "n", "12345678901234567890.10");
    const json = await run(["get", "a1", "-o", "json"]);
    expect(json).toMatchObject(silent);
    expect(json.stdout).toMatch(/^\{.*"n":12345678901234567890\.10,.*\}\n$/);
    expect(JSON.parse(json.stdout)).toEqual(await agents.get("a1"));
    expect((await run(["get", "a1"])).stdout).toMatch(/n {5}12345678901234567890\.10$/m);
    const yaml = await run(["get", "a1", "-o", "yaml"]);
    expect(yaml.stdout).toMatch(/^n: 12345678901234567890\.10$/m);
    expect(yaml.stdout).toMatch(/^text: "true"$/m);
    expect(parseDocument(yaml.stdout).toJS()).toEqual(await agents.get("a1"));
  });

  test("several ids come in their order; those that are absent are named at the end: 4", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    await agents.create("a2");
    const [name, jsonl, json, table] = await Promise.all([
      run(["get", "a2", "a1", "-o", "name"]),
      run(["get", "a2", "a1", "-o", "jsonl"]),
      run(["get", "a2", "gone", "a1", "-o", "json"]),
      run(["get", "a2", "a1", "lost"]),
    ]);
    expect(name).toEqual({ ...silent, stdout: "a2\na1\n" });
    expect(
      jsonl.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["a2", "a1"]);
    expect(json.exit).toBe(4);
    expect(JSON.parse(json.stdout)).toEqual([await agents.get("a2"), await agents.get("a1")]);
    expect(jsonError(json)).toMatchObject({ code: "NOTFOUND", ids: ["gone"] });
    expect(table.exit).toBe(4);
    expect(table.stdout).toMatch(/^agent\/a2$[\s\S]*^agent\/a1$/m);
    expect(table.stderr).toMatch(/^error: agent lost not found\n {2}try: .* list\n$/);
  });

  test("control characters are shown as escapes", async () => {
    const { run, agents } = await agentCommandLine();
    const evil = "\u001b[2J\u009b31m\u202eabc\r\n";
    await agents.create("a1", { note: evil }, { actor: "a\u007fb", reason: "\u009b2J" });
    const shown = await Promise.all([
      run(["get", "a1"]),
      run(["list", "-o", "wide"]),
      run(["history", "a1", "-o", "wide"]),
      run(["events"]),
      run(["transition", "a1", "completed"]),
    ]);
    for (const { stdout, stderr } of shown) {
      expect(`${stdout}${stderr}`.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
    }
    expect(shown[0]?.stdout).toContain(String.raw`note  "\u001b[2J\u009b31m\u202eabc\r\n"`);
    const json = await run(["get", "a1", "-o", "json"]);
    expect(JSON.parse(json.stdout).note).toBe(evil);
  });
});

describe("list", () => {
  test("lists by state and age, ID first and AGE last, in each format", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1", { taskId: "t1" });
    await agents.create("a2");
    await agents.transition("a1", "running");
    const [table, wide, jsonl, json, yaml, name] = await Promise.all(
      ["table", "wide", "jsonl", "json", "yaml", "name"].map((format) => run(["list", "-o", format])),
    );
    expect(table?.stdout).toMatch(/^ID +STATE +VERSION +AGE\na2 +spawning +1 +\d+s\na1 +running +2 +\d+s\n$/);
    expect(wide?.stdout).toMatch(/^ID .* FIELDS +AGE\n/);
    expect(wide?.stdout).toMatch(/^a1 .* taskId="t1",startedAt="\S+Z" +\d+s$/m);
    const both = [await agents.get("a2"), await agents.get("a1")];
    expect(
      jsonl?.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(both);
    expect(JSON.parse(json?.stdout ?? "")).toEqual(both);
    expect(parseDocument(yaml?.stdout ?? "").toJS()).toEqual(both);
    expect(name).toEqual({ ...silent, stdout: "a2\na1\n" });
  });

  test("filters by state, comma list or repeated, and by age", async () => {
    const { run, agents } = await agentCommandLine();
    for (const id of ["a1", "a2", "a3"]) await agents.create(id);
    await agents.transition("a2", "running");
    await agents.transition("a3", "killed");
    const [comma, repeated, old, none] = await Promise.all([
      run(["list", "--state", "running, killed", "-o", "name"]),
      run(["list", "--state", "running", "--state", "killed", "-o", "name"]),
      run(["list", "--older-than", "1h", "-o", "json"]),
      run(["list", "--older-than", "1h"]),
    ]);
    expect(comma.stdout).toBe("a2\na3\n");
    expect(repeated.stdout).toBe(comma.stdout);
    expect(old).toEqual({ ...silent, stdout: "[]\n" });
    expect(none).toEqual({ ...silent, stdout: "ID   STATE   VERSION   AGE\n" });
  });

  test("--limit prints the command of the next page on stderr, and --cursor continues there", async () => {
    const { run, agents } = await agentCommandLine();
    const ids = ["a1", "a2", "a3", "a4", "a5"];
    for (const id of ids) await agents.create(id);
    const first = await run(["list", "--limit", "2", "-o", "name"]);
    expect(first.stdout).toBe("a1\na2\n");
    const [, cursor = ""] = /^Next page: .* list --cursor (\S+) --limit 2\n$/.exec(first.stderr) ?? [];
    const rest = await run(["list", "--cursor", cursor, "-o", "name"]);
    expect(rest).toEqual({ ...silent, stdout: "a3\na4\na5\n" });
    expect(await run(["list", "--limit", "5", "-o", "name"])).toEqual({
      ...silent,
      stdout: `${ids.join("\n")}\n`,
    });
    const other = await run(["list", "--cursor", cursor, "--state", "running"]);
    expect(other).toMatchObject({ exit: 2, stdout: "" });
    expect(other.stderr).toContain("the cursor belongs to a list with no filter, not state running;");
    // What one command names, the next one takes.
    expect((await run(["get", ...first.stdout.trim().split("\n"), "-o", "name"])).stdout).toBe(first.stdout);
  });

  test.each([
    ["an unknown state", ["list", "--state", "runing"], 'unknown state "runing"; did you mean "running"?'],
    ["an empty state", ["list", "--state", ","], "It must not be empty."],
    ["an invalid duration", ["list", "--older-than", "2w"], "It must be a duration such as"],
    ["a limit of 0", ["list", "--limit", "0"], "It must be a whole number, 1 or more."],
    ["an invalid cursor", ["list", "--cursor", "x"], "invalid cursor; omit it to start at the beginning"],
    ["a format it lacks", ["list", "-o", "dot"], 'unknown output format "dot" of list'],
    ["a count of an unknown state", ["count", "--state", "nowhere"], 'unknown state "nowhere"; agent has '],
    ["a hostile machine name", ["list", "-m", "a}:b"], 'invalid machine name "a}:b"'],
    ["a hostile namespace", ["list", "--namespace", "a b"], 'invalid namespace "a b"'],
  ])("%s is a usage error: 2", async (_, words, text) => {
    const { run } = await agentCommandLine();
    const { exit, stdout, stderr } = await run(words);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(text);
  });
});

describe("count, history and machines", () => {
  test("count has a total, as a table, and none as JSON", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    await agents.create("a2");
    await agents.transition("a2", "killed");
    const [table, json, some] = await Promise.all([
      run(["count"]),
      run(["count", "-o", "json"]),
      run(["count", "--state", "killed,failed"]),
    ]);
    expect(table.stdout).toMatch(/^STATE +COUNT\nspawning +1\n[\s\S]*killed +1\n[\s\S]*TOTAL +2\n$/);
    expect(JSON.parse(json.stdout)).toEqual(await agents.count());
    expect(some.stdout).toBe("STATE    COUNT\nfailed   0\nkilled   1\nTOTAL    1\n");
  });

  test("history is oldest first, marks forced changes, and can be limited to the newest", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    await agents.create("a2");
    await agents.transition("a1", "completed", { force: true, reason: "by hand" });
    const [table, jsonl, last, absent] = await Promise.all([
      run(["history", "a1"]),
      run(["history", "a1", "-o", "jsonl"]),
      run(["history", "a1", "--limit", "1", "-o", "json"]),
      run(["history", "a9"]),
    ]);
    expect(table.stdout).toMatch(
      /^2 +spawning +completed +\S+Z +\d+s +forced +<none> +by hand +completedAt$/m,
    );
    await agents.patch("a2", { set: { n: 1.5, s: "x" } });
    await agents.patch("a2", { unset: ["n"], set: { s: "y" } });
    expect((await run(["history", "a2"])).stdout).toMatch(/ n,s\n.* s,-n\n$/);
    expect((await run(["history", "a2", "-o", "wide"])).stdout).toMatch(/ n=1.5,s="x"\n.* s="y",-n\n$/);
    const changes = await agents.history("a1");
    expect(
      jsonl.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(changes);
    expect(JSON.parse(last.stdout)).toEqual(changes.slice(1));
    expect(absent).toMatchObject({ exit: 4, stdout: "" });
    expect(absent.stderr).toContain("agent a9 not found");
  });

  test("the hint for an absent history leads to the same machine on the same server", async () => {
    const { run, namespace, url } = await agentCommandLine();
    const location = ["-m", "agent", "--namespace", namespace, "--url", url];
    const { stderr } = await run(["history", "a9", ...location]);
    expect(stderr).toContain(`\n  try: node bin/latchkey.js events ${location.join(" ")}\n`);
  });

  test("machines lists the installed machines with their states and number of entities", async () => {
    const line = await commandLine();
    expect(await line.run(["machines"])).toEqual({
      ...silent,
      stdout: "NAME   VERSION   STATES   ENTITIES\n",
    });
    const orders = await line.latchkey.machine(order);
    await orders.create("o1");
    const [table, json, name] = await Promise.all([
      line.run(["machines"]),
      line.run(["machines", "-o", "json"]),
      line.run(["machines", "-o", "name"]),
    ]);
    expect(table.stdout).toMatch(/^NAME +VERSION +STATES +ENTITIES\norder +3 +open,paid +1\n$/);
    expect(JSON.parse(json.stdout)).toEqual([
      { name: "order", version: 3, states: ["open", "paid"], entities: 1 },
    ]);
    expect(name.stdout).toBe("order\n");
  });
});
