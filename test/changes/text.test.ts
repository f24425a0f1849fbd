import { describe, expect, it } from "vitest";
import { AgentLifecycle, agent, type ChangeOptions, errorText } from "../../src/index.js";
import { all, client } from "../helpers/client.js";

/** Texts of a crash, and the one line that is stored. */
const TEXTS: readonly (readonly [name: string, text: string, line: string])[] = [
  ["two lines", "exit 1\nTraceback: boom\n", "exit 1 Traceback: boom"],
  ["colours", "\u001b[31mError\u001b[39m: boom", "Error: boom"],
  ["a NUL byte", "out\u0000put", "out put"],
  ["half an emoji", "aaaa😀".slice(0, 5), "aaaa\ufffd"],
  ["70 kB of emoji", "😀".repeat(17_500), "…"],
  ["quotes and backslashes", '"\\"\\', '"\\"\\'],
];

describe("no change is rejected because of its actor and reason:", () => {
  it.each(TEXTS)("%s", async (_, text, line) => {
    const agents = await (await client()).machine(agent());
    const said: ChangeOptions = { actor: text, reason: text };
    const created = await agents.create("a1", {}, said);
    await agents.transition("a1", "running", said);
    await agents.patch("a1", { set: { x: 1 }, ...said });
    await agents.transition("a1", "completed", { force: true, ...said });
    await agents.remove("a1", said);
    await agents.restore("a1", "running", { version: 9, ...said });
    const changes = await all(agents.events({ after: "start", follow: false }));
    expect(changes).toHaveLength(6);
    for (const { actor = "", reason = "" } of [created, ...changes]) {
      expect([actor, reason]).toEqual([expect.stringMatching(/^.{1,128}$/su), expect.anything()]);
      expect(actor.endsWith(line) && reason.endsWith(line)).toBe(true);
      expect([actor, reason].map((one) => Buffer.byteLength(one) <= 1024)).toEqual([true, true]);
    }
  });

  it("nothing that could be stored", async () => {
    const agents = await (await client()).machine(agent());
    const created = await agents.create("a1", {}, { actor: "", reason: "\n" });
    expect(created).not.toHaveProperty("actor");
    expect(created).not.toHaveProperty("reason");
  });
});

it.each(TEXTS)("an agent fails with an error text of %s", async (_, text) => {
  const agents = await (await client()).machine(agent());
  await agents.create("a1", { taskId: "t1" });
  const error = errorText(text);
  expect(await new AgentLifecycle(agents).transitionToFailed("a1", text)).toMatchObject({ error });
  await agents.create("a2", { taskId: "t1" });
  expect(await agents.transition("a2", "failed", { set: { error } })).toMatchObject({ error });
});
