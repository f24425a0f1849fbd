import { beforeAll, expect, test } from "vitest";
import { defineMachine, type Entities } from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { commandLine, jsonError } from "../helpers/command-line.js";

beforeAll(built);

const task = defineMachine({
  name: "task",
  version: 1,
  initial: "waiting",
  states: { waiting: { to: ["late"], timeout: { after: "1h", to: "late" } }, late: {} },
});

async function overdue() {
  const line = await commandLine();
  const tasks: Entities = await line.latchkey.machine(task);
  await tasks.create("t1");
  await runOut(line.latchkey, tasks, "t1");
  return { ...line, key: (rest: string): string => `{${line.namespace}:0}:task:${rest}` };
}

test("sweep --once reports an invalid id, fires the rest, and the suggested fsck repairs it", async () => {
  const it = await overdue();
  await (await admin()).zadd(it.key("due"), 1, "bad id");
  const { exit, stdout, stderr } = await it.run(["sweep", "--once", "-o", "name"]);
  expect({ exit, stdout }).toEqual({ exit: 0, stdout: "t1\n" });
  expect(stderr).toMatch(
    /^stuck: task\/bad id: not an id of this partition; .*\n1 timer fired, 0 entities removed, 1 stuck \(latchkey list --stuck\)\n$/,
  );
  const [, command = ""] = /latchkey (fsck \S+ -m task --namespace \S+)/.exec(stderr) ?? [];
  expect((await it.run(command.split(" "))).exit).toBe(0);
  expect((await it.run(["sweep", "--once", "-m", "task"])).stderr).toBe(
    "0 timers fired, 0 entities removed\n",
  );
});

test("sweep --once reports a damaged machine, and fires the timers of the others", async () => {
  const it = await overdue();
  await it.latchkey.machine({ ...task, name: "other" });
  await (await admin()).del(`{${it.namespace}:0}:other:machine`);
  const { exit, stdout, stderr } = await it.run(["sweep", "--once", "-o", "name"]);
  expect({ exit, stdout }).toEqual({ exit: 0, stdout: "t1\n" });
  expect(stderr).toMatch(
    /^stuck: other: it is not installed in partition 0; .*\n1 timer fired, 0 entities removed, 1 stuck /,
  );
});

test("an unreadable installed machine is a usage error in no command", async () => {
  const it = await overdue();
  await (await admin()).hset(it.key("machine"), "definition", "{");
  const ended = await it.run(["sweep", "--once", "-m", "task", "-o", "json"]);
  expect(ended).toMatchObject({ exit: 8, stdout: "" });
  expect(jsonError(ended)).toMatchObject({ code: "LAYOUT", message: /can.t be read.*latchkey fsck -m task/ });
});
