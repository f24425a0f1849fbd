import { expect } from "vitest";
import { agent, type Latchkey } from "../../src/index.js";
import { all, rejection } from "./client.js";
import type { RoleUser } from "./role.js";
import { hasKnownDefects, hasWaitaof } from "./server-program.js";

/** A sentence of the command line, and its exit code if that is not 0. */
export type Sentence = readonly [words: string, exit?: number];

/** Agents whose spawning expires at once, and whose lease does not expire during a test. */
const BRIEF = { ...agent({ version: 2, spawnTimeout: 1, lease: "1h" }), name: "other" };

/** Lists the sentences that every role may run. The agent a1 is running, and the reaction `cleanup` has dead letters. */
export const LOOKS: readonly Sentence[] = [
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
  ["doctor", hasKnownDefects ? 1 : 0],
  ["fsck"],
];

/** Installs two machines, and makes an agent a1 and two dead letters of the reaction `cleanup`. */
export async function prepare(latchkey: Latchkey): Promise<void> {
  const agents = await latchkey.machine(agent());
  await latchkey.machine(BRIEF);
  const reaction = await agents.react("cleanup", () => Promise.reject(new Error("no")), {
    deadLetterAfter: 1,
  });
  await agents.create("a1");
  await agents.transition("a1", "running");
  const letters = agents.deadLetters("cleanup");
  await expect.poll(async () => (await all(letters)).length).toBe(2);
  await reaction.close();
}

/** Runs sentences of the command line. None may lack a permission. */
export async function runAll({ run }: RoleUser, sentences: readonly Sentence[]): Promise<void> {
  for (const [words, exit = 0] of sentences) {
    const ended = await run(words);
    const stderr = expect.not.stringContaining("NOPERM");
    expect([words, ended.exit, ended.stderr]).toEqual([words, exit, stderr]);
  }
}

/** Makes every change, through the package. */
export async function changeAll(latchkey: Latchkey): Promise<void> {
  await latchkey.init();
  const agents = await latchkey.machine(agent());
  const others = await latchkey.machine(BRIEF);
  await agents.create("a2", { taskId: "t1" });
  const followed = agents.events({ after: "end" })[Symbol.asyncIterator]();
  const next = followed.next();
  await agents.transition("a2", "running", { set: { x: 1 } });
  await agents.patch("a2", { unset: ["x"] });
  expect((await next).value).toMatchObject({ id: "a2" });
  await followed.return?.();
  await others.create("o1");
  await others.create("o2");
  await others.transition("o2", "running");
  await (await others.hold("o2")).close();
  await others.heartbeat("o2");
  expect(await latchkey.sweep({ once: true })).toMatchObject({ expired: 1 });
  const copied = agents.patch("a2", { set: { x: 3 }, durability: { replicas: 1, timeoutMs: 1 } });
  expect(await rejection(copied)).toMatchObject({ code: "NOTDURABLE" });
  expect(await rejection(agents.patch("a2", { set: { x: 2 }, durability: "fsync" }))).toMatchObject({
    code: hasWaitaof ? "NOTDURABLE" : "BADARG",
  });
  await agents.remove("a2");
}

/** Lists the sentences that a writer may run besides. */
export const CHANGES: readonly Sentence[] = [
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
];

/** Lists the sentences that an operator may run besides. FIRST and SECOND are dead letters of `cleanup`. */
export const OPERATIONS: readonly Sentence[] = [
  ["transition a1 killed --force --reason stuck"],
  ["reactions retry cleanup FIRST"],
  ["reactions drop cleanup SECOND"],
  ["reactions forget cleanup --force"],
  ["lua check"],
  ["lua load --functions"],
];

/** Makes calls, each of which must be rejected for want of a permission. */
export async function expectDenied(...calls: readonly (() => Promise<unknown> | undefined)[]): Promise<void> {
  for (const call of calls) {
    const error = await rejection(Promise.resolve(call()));
    expect([String(call), error]).toEqual([
      String(call),
      expect.objectContaining({ code: "NOTEXECUTED", reply: "NOPERM" }),
    ]);
  }
}

/** Reads everything that every role may read, through the package. */
export async function lookAtAll(latchkey: Latchkey): Promise<void> {
  expect(await latchkey.machines()).toEqual(["agent", "other"]);
  await latchkey.serverTime();
  await latchkey.ping();
  await latchkey.overdue();
  expect(await latchkey.installed("agent")).not.toBeNull();
  const agents = await latchkey.machine(agent());
  expect(await agents.get("a1")).toMatchObject({ state: "running" });
  expect(await agents.get("a9")).toBeNull();
  await agents.history("a1");
  await agents.count();
  await all(agents.list());
  await all(agents.list({ stuck: true }));
  await all(agents.events({ after: "start", follow: false }));
  const others = await (await latchkey.installed("other"))?.subscribe(() => {});
  await (await agents.subscribe(() => {})).close();
  await others?.close();
  await agents.waitFor("a1", () => true);
  await agents.reactions();
  await all(agents.deadLetters("cleanup"));
  await all(agents.pendingEvents("cleanup"));
}
