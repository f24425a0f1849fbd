import { beforeAll, describe, expect, test } from "vitest";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { keyspace } from "../helpers/keyspace.js";

beforeAll(built);

const silent = { exit: 0, stderr: "" };

describe("changes", () => {
  test("create, transition, patch and remove say what they did, and say it in each format", async () => {
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
    expect(JSON.parse(patched.stdout)).toEqual((await agents.history("a1")).at(-1));
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

  test("who and why go into the history; without --actor it is the user", async () => {
    const { run, agents } = await agentCommandLine();
    await run(["create", "a1"]);
    await run(["transition", "a1", "running", "--actor", "ann", "--reason", "it is time"]);
    const [first, second] = await agents.history("a1");
    expect(first?.actor).toMatch(/^cli:.+@.+/);
    expect(second).toMatchObject({ actor: "ann", reason: "it is time" });
  });

  test("--set takes JSON where it parses, else text, and keeps what it is given", async () => {
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
    ["a field without a value", ["patch", "a1", "--set", "n"], "Write it like field=value."],
    ["a field that is set twice", ["patch", "a1", "--set", "n=1", "--set", "n=2"], "n is set twice."],
    [
      "a number that would be rounded",
      ["patch", "a1", "--set", "n=[12345678901234567890]"],
      "12345678901234567890 can't be kept",
    ],
    ["a reserved field", ["patch", "a1", "--set", "state=running"], '"state" cannot be a field name'],
    ["a stamp", ["patch", "a1", "--set", "startedAt=now"], "a stamp is managed by the machine"],
    ["nothing to patch", ["patch", "a1"], "patch needs something to change"],
    ["force without a reason", ["transition", "a1", "running", "--force"], "force needs a reason"],
    [
      "a version that is none",
      ["patch", "a1", "--set", "n=1", "--if-version", "x"],
      "It must be a whole number",
    ],
    ["an id with a space", ["create", "a 1"], 'id "a 1" must be'],
    ["an id with a line break", ["create", "a\r\nFLUSHALL"], "must be 1 to 128"],
    ["an empty id", ["create", ""], 'id "" must be'],
    ["a state with an escape sequence", ["transition", "a1", "\u001b[31mred"], "invalid state name"],
    ["an unknown option", ["create", "a1", "--sett", "a=1"], "unknown option '--sett'"],
    ["a missing argument", ["transition", "a1"], "missing required argument 'state'"],
    ["an argument too many", ["remove", "a1", "a2"], "too many arguments"],
    ["an unknown format", ["create", "a2", "-o", "xml"], '"xml" is no output format of create'],
  ])("%s is wrong usage: 2, and says so on stderr only", async (_, words, text) => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const { exit, stdout, stderr } = await run(words);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(text);
    expect(stderr.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(await agents.count()).toMatchObject({ spawning: 1, running: 0 });
  });

  test("an illegal transition exits 5 and tells state, age, who moved it there and what to type", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    await agents.transition("a1", "running", { actor: "replica-3", reason: "picked up" });
    const { exit, stdout, stderr } = await run(["transition", "a1", "spawning"]);
    expect({ exit, stdout }).toEqual({ exit: 5, stdout: "" });
    expect(stderr).toMatch(
      /^error: agent a1 can't go to spawning: it is running since \S+Z, version 2; possible: /,
    );
    expect(stderr).toMatch(/running since \d+s, moved there from spawning by replica-3 \(picked up\)/);
    expect(stderr).toContain("transition a1 completed\n");
    expect(stderr).toContain("transition a1 failed --set error=VALUE\n");
    expect(stderr).toMatch(/try: .* get a1\n$/);
  });

  test("a refusal with -o json is one JSON object on stderr, with the entity as it is stored", async () => {
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

  test("a misspelt state is told from an impossible one", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1", {}, { actor: "ann" });
    const { exit, stderr } = await run(["transition", "a1", "runing"]);
    expect(exit).toBe(5);
    expect(stderr).toContain('"runing" is no state of agent; did you mean "running"?');
    expect(stderr).toMatch(/spawning since \d+s, created by ann$/m);
  });

  test("from a final state nothing is possible, but --force with a reason is", async () => {
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

  test("a missing required field exits 5 and says what to type", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const ended = await run(["transition", "a1", "failed"]);
    expect(ended).toMatchObject({ exit: 5, stdout: "" });
    expect(ended.stderr).toContain("agent a1 needs error to be failed");
    expect(ended.stderr).toMatch(/try: .* transition a1 failed --set error=VALUE\n$/);
    const json = jsonError(await run(["transition", "a1", "failed", "-o", "jsonl"]));
    expect(json).toMatchObject({ code: "MISSING", fields: ["error"] });
  });

  test("conditions that do not hold exit 6, and so does an id that is taken", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const refusals = await Promise.all([
      run(["transition", "a1", "running", "--if-version", "7"]),
      run(["patch", "a1", "--set", "n=1", "--if-state", "running"]),
      run(["remove", "a1", "--if-version", "2"]),
      run(["create", "a1"]),
    ]);
    expect(refusals.map(({ exit, stdout }) => [exit, stdout])).toEqual(refusals.map(() => [6, ""]));
    expect(refusals.map(({ stderr }) => stderr.split("\n")[0])).toEqual([
      expect.stringContaining("agent a1 is not at version 7: it is spawning since"),
      expect.stringContaining("agent a1 is not running: it is spawning since"),
      expect.stringContaining("agent a1 is not at version 2: it is spawning since"),
      expect.stringContaining("agent a1 exists already: it is spawning since"),
    ]);
    expect(await agents.get("a1")).toMatchObject({ version: 1 });
  });

  test("an absent entity exits 4, an absent machine too, with what to type", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("other");
    const absent = await run(["transition", "a1", "running"]);
    expect(absent).toMatchObject({ exit: 4, stdout: "" });
    expect(absent.stderr).toContain("error: agent a1 not found");
    const machine = await run(["create", "a1", "-m", "order"]);
    expect(machine).toMatchObject({ exit: 4, stdout: "" });
    expect(machine.stderr).toMatch(/no machine "order" is installed in namespace .*; installed are agent/);
    expect(machine.stderr).toMatch(/try: -m agent, or .* apply -f order\.yaml\n/);
    const fresh = await (await commandLine()).run(["create", "a1"]);
    expect(fresh).toMatchObject({ exit: 4, stdout: "" });
    expect(fresh.stderr).toMatch(/try: .* apply\n/);
  });

  test("an op that is repeated does nothing: 0, and 3 with --error-unchanged", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const words = ["transition", "a1", "running", "--op", "op-1"];
    await run(words);
    expect(await run(words)).toEqual({
      ...silent,
      stdout: "agent/a1 unchanged: op-1 was done before, at version 2; now running (version 2)\n",
    });
    const strict = await run([...words, "--error-unchanged", "-o", "json"]);
    expect(strict).toMatchObject({ exit: 3, stderr: "" });
    expect(JSON.parse(strict.stdout)).toMatchObject({ opVersion: 2, state: "running" });
  });

  test("an id that looks like an option is taken behind --", async () => {
    const { run, agents } = await agentCommandLine();
    expect(await run(["create", "--", "-x"])).toMatchObject(silent);
    expect(await agents.get("-x")).not.toBeNull();
    const { exit, stderr } = await run(["transition", "--", "-x", "completed"]);
    expect(exit).toBe(5);
    expect(stderr).toContain("transition --set error=VALUE -- -x failed");
  });
});

describe("--dry-run", () => {
  test("says what would happen, exits as the change would, and writes nothing", async () => {
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
      [0, "agent/a1 would be spawning -> running (version 2) (dry run)\n"],
      [0, "agent/a2 would be created, spawning (dry run)\n"],
      [0, "agent/a1 would be patched (version 2) (dry run)\n"],
      [0, "agent/a1 would be removed, is spawning (dry run)\n"],
      [0, "agent/a1 would be spawning -> completed (version 2) (dry run)\n"],
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
    expect(JSON.parse(json.stdout)).toEqual({
      dryRun: true,
      verb: "transition",
      machine: "agent",
      id: "a1",
      from: "spawning",
      state: "running",
      version: 2,
    });
    expect(await keyspace(await admin(), namespace)).toEqual(before);
  });
});
