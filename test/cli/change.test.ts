import { beforeAll, describe, expect, test } from "vitest";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { keyspace } from "../helpers/keyspace.js";

beforeAll(built);

const silent = { exit: 0, stderr: "" };

describe("changes", () => {
  test("create, transition, patch and remove print their result in each format", async () => {
    const { run, agents } = await agentCommandLine();
    expect(await run(["create", "a1", "--set", "taskId=t1"])).toEqual({
      ...silent,
      stdout: "agent/a1 created, spawning (version 1)\n",
    });
    expect(await run(["transition", "a1", "running", "--actor", "ann", "--reason", "go"])).toEqual({
      ...silent,
      stdout: "agent/a1 spawning -> running (version 2)\n",
    });
    const patched = await run(["patch", "a1", "--set", "n=1.5", "--unset", "taskId", "-o", "json"]);
    expect(patched).toMatchObject(silent);
    expect(JSON.parse(patched.stdout)).toMatchObject({
      type: "agent.updated",
      state: "running",
      version: 3,
      n: 1.5,
    });
    expect((await agents.history("a1")).at(-1)).toMatchObject({ set: { n: 1.5 }, unset: ["taskId"] });
    expect(await run(["transition", "a1", "killed", "-o", "name"])).toEqual({
      ...silent,
      stdout: "a1\n",
    });
    expect(await run(["remove", "a1"])).toEqual({
      ...silent,
      stdout: "agent/a1 removed, was killed (version 5)\n",
    });
    expect(await agents.get("a1")).toBeNull();
  });

  test("actor and reason are in the history; the default actor is the user", async () => {
    const { run, agents } = await agentCommandLine();
    await run(["create", "a1"]);
    await run(["transition", "a1", "running", "--actor", "ann", "--reason", "it is time"]);
    const [first, second] = await agents.history("a1");
    expect(first?.actor).toMatch(/^cli:.+@.+/);
    expect(second).toMatchObject({ actor: "ann", reason: "it is time" });
  });

  test("--set takes JSON if it parses, otherwise text, and keeps the value", async () => {
    const { run, agents } = await agentCommandLine();
    const words = [
      "a=1.50",
      "b=exit 137",
      'c={"x":[1,null]}',
      "d=",
      "e=k=v",
      "__proto__=1",
      'f="007"',
      "g=007",
    ];
    await run(["create", "a1", ...words.flatMap((word) => ["--set", word])]);
    const entity = await agents.get("a1");
    expect(entity).toMatchObject({
      a: 1.5,
      b: "exit 137",
      c: { x: [1, null] },
      d: "",
      e: "k=v",
      f: "007",
      g: "007",
    });
    expect(Object.hasOwn(entity ?? {}, "__proto__")).toBe(true);
  });

  test.each([
    ["a field without a value", ["patch", "a1", "--set", "n"], "It must have the form field=value."],
    ["a field that is set twice", ["patch", "a1", "--set", "n=1", "--set", "n=2"], "n is given twice."],
    [
      "a number that would be rounded",
      ["patch", "a1", "--set", "n=[12345678901234567890]"],
      "12345678901234567890 would lose digits",
    ],
    ["a reserved field", ["patch", "a1", "--set", "state=running"], '"state" cannot be a field name'],
    ["a stamp", ["patch", "a1", "--set", "startedAt=now"], "stamps are managed by the machine"],
    ["nothing to patch", ["patch", "a1"], "patch requires --set field=value or --unset field"],
    ["force without a reason", ["transition", "a1", "running", "--force"], "--force requires --reason"],
    ["an invalid version", ["patch", "a1", "--set", "n=1", "--if-version", "x"], "It must be a whole number"],
    ["an id with a space", ["create", "a 1"], 'id "a 1" must be'],
    ["an id with a line break", ["create", "a\r\nFLUSHALL"], "must be 1 to 128"],
    ["an empty id", ["create", ""], 'id "" must be'],
    ["a state with an escape sequence", ["transition", "a1", "\u001b[31mred"], "invalid state name"],
    ["an unknown option", ["create", "a1", "--sett", "a=1"], "unknown option '--sett'"],
    ["a missing argument", ["transition", "a1"], "missing required argument 'state'"],
    ["an argument too many", ["remove", "a1", "a2"], "too many arguments"],
    ["an unknown format", ["create", "a2", "-o", "xml"], 'unknown output format "xml" of create'],
  ])("%s exits 2, and the error is on stderr only", async (_, words, text) => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const { exit, stdout, stderr } = await run(words);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(text);
    expect(stderr.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(await agents.count()).toMatchObject({ spawning: 1, running: 0 });
  });

  test("an illegal transition exits 5 and prints state, age, origin and the possible commands", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    await agents.transition("a1", "running", { actor: "replica-3", reason: "picked up" });
    const { exit, stdout, stderr } = await run(["transition", "a1", "spawning"]);
    expect({ exit, stdout }).toEqual({ exit: 5, stdout: "" });
    expect(stderr).toMatch(
      /^error: agent a1 cannot transition from running to spawning: allowed: completed, failed, killed$/m,
    );
    expect(stderr).toMatch(/^ {2}it has been running for \d+s, from spawning by replica-3 \(picked up\)$/m);
    expect(stderr).toContain("transition a1 completed\n");
    expect(stderr).toContain("transition a1 failed --set error=VALUE\n");
    expect(stderr).toMatch(/try: .* get a1\n$/);
  });

  test("a rejection with -o json is one JSON object on stderr, with the entity as it is stored", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    await agents.transition("a1", "completed").catch(() => {});
    const ended = await run(["transition", "a1", "complted", "-o", "json"]);
    expect(ended).toMatchObject({ exit: 5, stdout: "" });
    expect(jsonError(ended)).toMatchObject({
      code: "ILLEGAL",
      machine: "agent",
      id: "a1",
      from: "spawning",
      to: "complted",
      allowed: ["running", "failed", "killed"],
      current: await agents.get("a1"),
      hint: expect.stringContaining("get a1"),
    });
  });

  test("a misspelt state is named, with the nearest state", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1", {}, { actor: "ann" });
    const { exit, stderr } = await run(["transition", "a1", "runing"]);
    expect(exit).toBe(5);
    expect(stderr).toContain('unknown state "runing"; did you mean "running"?');
    expect(stderr).toMatch(/it has been spawning for \d+s, created by ann$/m);
  });

  test("a final state allows no transition, except with --force and a reason", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    await agents.transition("a1", "killed");
    const refused = await run(["transition", "a1", "running"]);
    expect(refused).toMatchObject({ exit: 5, stdout: "" });
    expect(refused.stderr).toContain("killed is final");
    const forced = await run(["transition", "a1", "running", "--force", "--reason", "revived"]);
    expect(forced).toEqual({ ...silent, stdout: "agent/a1 killed -> running (version 3)\n" });
    expect((await agents.history("a1")).at(-1)).toMatchObject({ forced: true, reason: "revived" });
  });

  test("a missing required field exits 5 and prints the command that sets it", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const ended = await run(["transition", "a1", "failed"]);
    expect(ended).toMatchObject({ exit: 5, stdout: "" });
    expect(ended.stderr).toContain('agent a1: state failed requires field "error"');
    expect(ended.stderr).toMatch(/try: .* transition a1 failed --set error=VALUE\n$/);
    const json = jsonError(await run(["transition", "a1", "failed", "-o", "jsonl"]));
    expect(json).toMatchObject({ code: "MISSING", fields: ["error"] });
  });

  test("unmet conditions and an existing ID exit 6", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const rejections = await Promise.all([
      run(["transition", "a1", "running", "--if-version", "7"]),
      run(["patch", "a1", "--set", "n=1", "--if-state", "running"]),
      run(["remove", "a1", "--if-version", "2"]),
      run(["create", "a1"]),
    ]);
    expect(rejections.map(({ exit, stdout }) => [exit, stdout])).toEqual(rejections.map(() => [6, ""]));
    expect(rejections.map(({ stderr }) => stderr.split("\n")[0])).toEqual([
      expect.stringContaining("agent a1 does not match: expected version 7; found state spawning, version 1"),
      expect.stringContaining(
        "agent a1 does not match: expected state running; found state spawning, version 1",
      ),
      expect.stringContaining("agent a1 does not match: expected version 2; found state spawning, version 1"),
      expect.stringContaining("agent a1 already exists: state spawning, version 1"),
    ]);
    expect(await agents.get("a1")).toMatchObject({ version: 1 });
  });

  test("an absent entity exits 4, an absent machine too, with a command to try", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("other");
    const absent = await run(["transition", "a1", "running"]);
    expect(absent).toMatchObject({ exit: 4, stdout: "" });
    expect(absent.stderr).toContain("error: agent a1 not found");
    const machine = await run(["create", "a1", "-m", "order"]);
    expect(machine).toMatchObject({ exit: 4, stdout: "" });
    expect(machine.stderr).toMatch(/namespace ".*" has no machine "order"; it has agent/);
    expect(machine.stderr).toMatch(/try: -m agent, or .* apply -f order\.yaml\n/);
    const fresh = await (await commandLine()).run(["create", "a1"]);
    expect(fresh).toMatchObject({ exit: 4, stdout: "" });
    expect(fresh.stderr).toMatch(/^error: namespace ".*" has no machines\n {2}try: .* apply\n$/);
  });

  test("a repeated idempotency key has no effect: exit 0, or 3 with --error-unchanged", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const words = ["transition", "a1", "running", "--op", "op-1"];
    await run(words);
    expect(await run(words)).toEqual({
      ...silent,
      stdout: "agent/a1 unchanged: op-1 was already applied at version 2; now running (version 2)\n",
    });
    const strict = await run([...words, "--error-unchanged", "-o", "json"]);
    expect(strict).toMatchObject({ exit: 3, stderr: "" });
    expect(JSON.parse(strict.stdout)).toMatchObject({ opVersion: 2, state: "running" });
  });

  test("an id that looks like an option is accepted after --", async () => {
    const { run, agents } = await agentCommandLine();
    expect(await run(["create", "--", "-x"])).toMatchObject(silent);
    expect(await agents.get("-x")).not.toBeNull();
    const { exit, stderr } = await run(["transition", "--", "-x", "completed"]);
    expect(exit).toBe(5);
    expect(stderr).toContain("transition --set error=VALUE -- -x failed");
  });
});

describe("--dry-run", () => {
  test("prints the result, exits as the change would, and writes nothing", async () => {
    const { run, agents, namespace } = await agentCommandLine();
    await agents.create("a1");
    const before = await keyspace(await admin(), namespace);
    const dry = (...words: string[]) => run([...words, "--dry-run"]);
    const ended = await Promise.all([
      dry("transition", "a1", "running"),
      dry("create", "a2"),
      dry("patch", "a1", "--set", "n=1"),
      dry("remove", "a1"),
      dry("transition", "a1", "completed", "--force", "--reason", "test"),
      dry("transition", "a1", "completed"),
      dry("transition", "a1", "failed"),
      dry("create", "a1"),
      dry("remove", "a2"),
      dry("patch", "a1", "--set", "n=1", "--if-version", "2"),
      dry("remove", "a1", "--if-state", "running"),
      dry("patch", "a1", "--set", "startedAt=1"),
      dry("transition", "a1", "nowhere", "--force", "--reason", "test"),
    ]);
    expect(ended.map(({ exit, stdout }) => [exit, stdout])).toEqual([
      [0, "agent/a1 spawning -> running (version 2, dry run)\n"],
      [0, "agent/a2 created, spawning (version 1, dry run)\n"],
      [0, "agent/a1 patched (version 2, dry run)\n"],
      [0, "agent/a1 removed, was spawning (version 2, dry run)\n"],
      [0, "agent/a1 spawning -> completed (version 2, dry run)\n"],
      [5, ""],
      [5, ""],
      [6, ""],
      [4, ""],
      [6, ""],
      [6, ""],
      [2, ""],
      [5, ""],
    ]);
    const json = await dry("transition", "a1", "running", "-o", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      dryRun: true,
      type: "agent.running",
      machine: "agent",
      id: "a1",
      from: "spawning",
      state: "running",
      version: 2,
      startedAt: expect.any(String),
    });
    expect(await keyspace(await admin(), namespace)).toEqual(before);
  });

  test("a stamp of the state to enter is never missing, in a dry run and in suggested commands", async () => {
    const { run, latchkey } = await commandLine();
    const orders = await latchkey.machine({
      name: "order",
      version: 1,
      initial: "open",
      states: { open: { to: ["paid"] }, paid: { require: ["receipt", "paidAt"], stamp: "paidAt" } },
    });
    await orders.create("o1");
    const order = (...words: string[]) => run([...words, "-m", "order"]);
    const [page, rejected, dry] = await Promise.all([
      order("get", "o1"),
      order("transition", "o1", "paid"),
      order("transition", "o1", "paid", "--set", "receipt=5", "--dry-run"),
    ]);
    expect(page.stdout).toContain("transition o1 paid --set receipt=VALUE -m order\n");
    expect(rejected.stderr).toContain('state paid requires field "receipt"; set it in the same call\n');
    expect(rejected.stderr).toContain(
      "try: node bin/latchkey.js transition o1 paid --set receipt=VALUE -m order\n",
    );
    expect(dry).toEqual({ ...silent, stdout: "order/o1 open -> paid (version 2, dry run)\n" });
    expect(await order("transition", "o1", "paid", "--set", "receipt=5")).toEqual({
      ...silent,
      stdout: "order/o1 open -> paid (version 2)\n",
    });
  });
});
