import { beforeAll, expect, test } from "vitest";
import { connect } from "../../../src/index.js";
import { built } from "../../helpers/built.js";
import { all } from "../../helpers/client.js";
import { adminOf } from "../../helpers/doctor.js";
import { type RoleUser, roleUser } from "../../helpers/role.js";
import { expectNothingElse } from "../../helpers/role-denials.js";
import { expectDenied, lookAtAll, prepare, runAll } from "../../helpers/role-work.js";

beforeAll(built);

const EVENTS = "{here:0}:agent:events";
const AUDIT = "{here:0}:agent:reaction:audit";

/** Makes events, and a dead replica of the reaction `audit` that has begun with one of them. */
async function withEvents(words: string): Promise<RoleUser> {
  const user = await roleUser(words);
  await using owner = await connect({ url: user.server.url, namespace: "here" });
  await prepare(owner);
  const { admin } = user;
  for (const key of [EVENTS, `${AUDIT}:dead`]) await admin.xgroup("CREATE", key, "audit", "0", "MKSTREAM");
  await admin.xreadgroup("GROUP", "audit", "gone", "COUNT", 1, "STREAMS", EVENTS, ">");
  await admin.zadd(`${AUDIT}:seen`, 0, "gone");
  await admin.script("FLUSH");
  return user;
}

/** Handles events, of which one becomes a dead letter that is retried, and another one a letter that is dropped. */
async function react(user: RoleUser): Promise<void> {
  const agents = await (await user.connect()).installed("agent");
  const handled: string[] = [];
  const reaction = await agents?.react(
    "audit",
    async ({ type }, { attempt }) => {
      if (attempt < 3) throw new Error("no");
      handled.push(type);
      throw new Error("no");
    },
    { from: "start", deadLetterAfter: 3, retries: { first: 1, longest: 1 } },
  );
  const letters = agents?.deadLetters("audit");
  if (agents === undefined || agents === null || letters === undefined) throw new Error("no agents");
  const ids = async () => (await all(letters)).map(({ id }) => id);
  await expect.poll(ids).toHaveLength(2);
  const [first = "", second = ""] = await ids();
  await letters.retry([first]);
  await letters.drop([second]);
  await expect.poll(ids).not.toContain(first);
  await reaction?.close();
  expect(handled).toContain("agent.running");
}

test("a reactor handles events by exactly its permissions, and may do nothing else", async () => {
  const user = await withEvents("reactor");
  await user.watch(async () => {
    await react(user);
    const latchkey = await user.connect();
    await lookAtAll(latchkey);
    const agents = await latchkey.installed("agent");
    const fresh = await agents?.react("fresh", () => {});
    await fresh?.close();
    const [first, second] = agents === null ? [] : await all(agents.deadLetters("cleanup"));
    await runAll(user, [[`reactions retry cleanup ${first?.id}`], [`reactions drop cleanup ${second?.id}`]]);
    await expectDenied(
      () => agents?.create("a2"),
      () => agents?.patch("a1", { set: { n: 1 } }),
      () => agents?.remove("a1"),
      () => agents?.forgetReaction("cleanup"),
    );
  });
  await user.expectExact();
  await expectNothingElse(user, "reactions");
});

test("a reactor of one machine may not write an entity, whatever its ID", async () => {
  const user = await withEvents("reactor -m agent");
  await react(user);
  const client = await adminOf(user.server, { username: user.username, password: "PASSWORD" });
  for (const id of ["a1", "a:reaction:b", "a:events"]) {
    const key = `{here:0}:agent:id:${id}`;
    for (const words of [
      ["HSET", key, "state", "killed"],
      ["DEL", key],
      ["XGROUP", "CREATE", key, "g", "0", "MKSTREAM"],
    ])
      await expect(client.call(...(words as [string, ...string[]]))).rejects.toThrow("NOPERM");
  }
  await expect(client.hget("{here:0}:other:reaction:audit:rules", "on")).rejects.toThrow("NOPERM");
});

test("a user who is a writer and a reactor changes entities in handlers", async () => {
  const user = await roleUser("writer,reactor");
  const latchkey = await user.connect();
  await prepare(latchkey);
  const agents = await latchkey.installed("agent");
  const reaction = await agents?.react(
    "finish",
    async ({ id }) => {
      await agents.transition(id, "completed");
    },
    { from: "start", on: ["agent.running"] },
  );
  await expect.poll(async () => (await agents?.get("a1"))?.state).toBe("completed");
  await reaction?.close();
});
