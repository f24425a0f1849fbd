import { describe, expect, it, onTestFinished } from "vitest";
import type { MachineDefinition } from "../../src/index.js";
import { ContractError, NotExecutedError, ReactionInUseError } from "../../src/index.js";
import { reactionScripts } from "../../src/lua/reactions.js";
import { reactionKeys as reactionKeysOf } from "../../src/valkey/keys.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { gate, keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";
import { useValkey } from "../helpers/valkey.js";

/** Lists the keys of the reactions in a namespace. */
async function reactionKeys(namespace: string): Promise<string[]> {
  return (await (await admin()).keys(`{${namespace}:*}:*:reaction:*`)).sort();
}

/** Lists the consumer groups on a partition's log. */
async function groups(namespace: string, partition = 0): Promise<string[]> {
  const found = (await (
    await admin()
  ).xinfo("GROUPS", `{${namespace}:${partition}}:dial:events`)) as string[][];
  return found.map(([, name]) => String(name));
}

/** Makes all replicas count as dead, as after a kill or a freeze. */
async function allDie(namespace: string, partitions = 1): Promise<void> {
  const valkey = await admin();
  for (let partition = 0; partition < partitions; partition += 1) {
    const seen = keyOf(namespace, "seen", partition);
    for (const consumer of await valkey.zrange(seen, 0, -1)) await valkey.zadd(seen, 0, consumer);
  }
}

describe("forgetting a reaction", () => {
  it("leaves nothing but a note that expires, and does not touch other reactions", async () => {
    const { list, namespace } = await replicas(1, 3);
    const [ours] = list;
    const other = await ours.react("other", () => {});
    onTestFinished(() => other.close());
    const met: string[] = [];
    const reaction = await reacting(ours, (change) => void met.push(nameOf(change)));
    for (let n = 0; n < 9; n++) await ours.create(`x${n}`);
    await expect.poll(() => met.length).toBe(9);
    await expect.poll(async () => (await ours.reactions()).map(({ pending }) => pending)).toEqual([0, 0]);
    await reaction.close();
    await ours.create("x9");
    expect(await ours.forgetReaction("r")).toEqual({
      ...{ name: "r", lag: 1, pending: 0, deadLetters: 0, consumers: 0 },
    });
    expect((await ours.reactions()).map(({ name }) => name)).toEqual(["other"]);
    expect(await groups(namespace, 0)).toEqual(["other"]);
    const left = (await reactionKeys(namespace)).filter((key) => key.includes(":r:"));
    expect(left).toEqual([0, 1, 2].map((partition) => keyOf(namespace, "rules", partition)));
    const valkey = await admin();
    for (const key of left) {
      expect(await valkey.hkeys(key)).toEqual(["forgotten"]);
      expect(await valkey.pttl(key)).toBeGreaterThan(0);
      expect(await valkey.pttl(key)).toBeLessThanOrEqual(86_400_000);
    }
    expect(await ours.forgetReaction("r")).toBeNull();
  });

  it("lets a new reaction of the same name begin from the start", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    await ours.create("x1");
    await ours.forgetReaction("r");
    const met: string[] = [];
    const again = await reacting(ours, (change) => void met.push(nameOf(change)));
    await ours.create("x2");
    await expect.poll(() => met).toEqual(["x2@1"]);
    const rules = keyOf(namespace, "rules");
    expect(await (await admin()).hgetall(rules)).toMatchObject({ on: "", idle: "30000" });
    expect(await (await admin()).hexists(rules, "forgotten")).toBe(0);
    expect(await (await admin()).pttl(rules)).toBe(-1);
    await again.close();
  });

  it("returns null for an unknown reaction and rejects invalid names and options", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    expect(await ours.forgetReaction("r")).toBeNull();
    for (const [name, options, text] of [
      ["No", {}, "reaction"],
      ["r", { forse: true }, 'unknown option "forse"; did you mean "force"?'],
      ["r", { force: "no" }, "force must be true or false"],
    ] as const) {
      const error = await rejectionOf(ContractError, ours.forgetReaction(name, options as object));
      expect(error.message).toContain(text);
    }
  });

  it("works if the consumer group was removed by hand", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    await (await admin()).xgroup("DESTROY", `{${namespace}:0}:dial:events`, "r");
    expect(await ours.forgetReaction("r")).toMatchObject({ name: "r", lag: undefined });
    expect(await reactionKeys(namespace)).toEqual([keyOf(namespace, "rules")]);
  });

  it("completes an earlier attempt that ended between two partitions", async () => {
    const { list, namespace } = await replicas(1, 2);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    const valkey = await admin();
    await valkey.xgroup("DESTROY", `{${namespace}:0}:dial:events`, "r");
    await valkey.del(keyOf(namespace, "dead"), keyOf(namespace, "rules"));
    expect(await ours.forgetReaction("r")).toMatchObject({ name: "r" });
    expect(await groups(namespace, 1)).toEqual([]);
    expect(await ours.forgetReaction("r")).toBeNull();
  });
});

describe("forgetting is rejected", () => {
  it("while replicas are live, with or without force, and they continue", async () => {
    const { list, namespace } = await replicas(3, 2);
    const [one, two = one, three = one] = list;
    const met: string[] = [];
    await reacting(one, (change) => void met.push(nameOf(change)));
    await reacting(two, (change) => void met.push(nameOf(change)));
    const before = await reactionKeys(namespace);
    for (const options of [{}, { force: true }]) {
      const error = await rejectionOf(ReactionInUseError, three.forgetReaction("r", options));
      expect(error).toMatchObject({ code: "INUSE", problem: "LIVING", replicas: 2, reaction: "r" });
      expect(error.message).toContain("2 replicas of it live; stop them first");
    }
    expect(await reactionKeys(namespace)).toEqual(expect.arrayContaining(before));
    for (let n = 0; n < 4; n++) await three.create(`x${n}`);
    await expect.poll(() => met.toSorted()).toEqual(["x0@1", "x1@1", "x2@1", "x3@1"]);
  });

  it("before takeOverAfter has passed since the last heartbeat", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {}, { takeOverAfter: "1h" })).close();
    const valkey = await admin();
    const [seconds] = await valkey.time();
    const wasHere = (agoMs: number) =>
      valkey.zadd(keyOf(namespace, "seen"), Number(seconds) * 1000 - agoMs, "x");
    await wasHere(3_500_000);
    expect(await rejectionOf(ReactionInUseError, ours.forgetReaction("r"))).toMatchObject({ replicas: 1 });
    await (await reacting(ours, () => {}, { takeOverAfter: "10s" })).close();
    await wasHere(11_000);
    expect(await ours.forgetReaction("r")).toMatchObject({ consumers: 1 });
  });

  it("for a day after the last heartbeat if no takeOverAfter is noted, also if only one partition saw the heartbeat", async () => {
    const { list, namespace } = await replicas(1, 2);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    const valkey = await admin();
    const [seconds] = await valkey.time();
    const wasHere = (agoMs: number) =>
      valkey.zadd(keyOf(namespace, "seen", 1), Number(seconds) * 1000 - agoMs, "x");
    await wasHere(20_000);
    expect(await rejectionOf(ReactionInUseError, ours.forgetReaction("r"))).toMatchObject({ replicas: 1 });
    await valkey.del(keyOf(namespace, "rules", 1));
    await wasHere(86_000_000);
    expect(await rejectionOf(ReactionInUseError, ours.forgetReaction("r"))).toMatchObject({ replicas: 1 });
    await wasHere(86_500_000);
    expect(await ours.forgetReaction("r")).toMatchObject({ consumers: 1 });
  });

  it("if events are unfinished, unless it is forced", async () => {
    const { list, namespace } = await replicas(1, 2);
    const [ours] = list;
    const hold = gate();
    const reaction = await reacting(ours, () => hold.promise);
    await ours.create("x0");
    await ours.create("x1");
    await expect.poll(async () => (await ours.reactions())[0]?.pending).toBe(2);
    await allDie(namespace, 2);
    const closing = rejectionOf(ContractError, reaction.closed);
    const attempt = async (force: boolean): Promise<unknown> => {
      await allDie(namespace, 2);
      return ours.forgetReaction("r", { force }).catch((error: unknown) => error);
    };
    await expect
      .poll(() => attempt(false), { interval: 1 })
      .toMatchObject({ problem: "UNFINISHED", pending: 2 });
    expect(await groups(namespace)).toEqual(["r"]);
    await expect
      .poll(() => attempt(true), { interval: 1 })
      .toMatchObject({ name: "r", pending: 2, consumers: 1 });
    expect((await closing).code).toBe("NOREACTION");
    hold.open();
  });

  it("if there are dead letters, retried or not, unless it is forced", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const fail = () => {
      throw new Error("no");
    };
    const reaction = await reacting(ours, fail, { deadLetterAfter: 1 });
    await ours.create("x1");
    const letters = ours.deadLetters("r");
    await expect.poll(async () => (await all(letters)).length).toBe(1);
    await reaction.close();
    const error = await rejectionOf(ReactionInUseError, ours.forgetReaction("r"));
    expect(error).toMatchObject({ problem: "UNFINISHED", replicas: 0, pending: 0, deadLetters: 1 });
    expect(error.message).toContain("1 dead letter would be thrown away");
    await letters.retry((await all(letters)).map(({ id }) => id));
    await rejectionOf(ReactionInUseError, ours.forgetReaction("r", { force: false }));
    expect(await ours.forgetReaction("r", { force: true })).toMatchObject({ deadLetters: 1 });
    expect(await all(letters)).toEqual([]);
  });
});

it("the script that removes a reaction checks it again in the same step", async () => {
  const { list, namespace } = await replicas(1);
  await (await reacting(list[0], () => {})).close();
  const valkey = await admin();
  const keys = reactionKeysOf({ namespace, machine: "dial", partitions: 1 }, 0, "r");
  const { deadLetters, lastSeen } = keys;
  const forget = async (how: string): Promise<unknown> => {
    const args = [...Object.values(keys), "r", how, "1000"];
    return ((await valkey.eval(reactionScripts.forget.text, 6, ...args)) as unknown[]).slice(0, 4);
  };
  await valkey.xadd(deadLetters, "*", "lost", "0-0", "to", "1-1", "count", "1", "last", "1");
  expect([await forget("look"), await forget("unused")]).toEqual(Array(2).fill([0, 0, 0, 1]));
  const [seconds] = await valkey.time();
  await valkey.zadd(lastSeen, Number(seconds) * 1000, "here");
  expect([await forget("unused"), await forget("force")]).toEqual(Array(2).fill([0, 1, 0, 1]));
  expect(await groups(namespace)).toEqual(["r"]);
  expect(await forget("all")).toEqual([1, 1, 0, 1]);
  expect(await groups(namespace)).toEqual([]);
});

it("several callers can forget a reaction at once without an error", async () => {
  const { list } = await replicas(4, 2);
  const [ours] = list;
  await (await reacting(ours, () => {})).close();
  const answers = await Promise.all(list.map((one) => one.forgetReaction("r")));
  expect(answers).toContainEqual(expect.objectContaining({ name: "r" }));
  expect(await ours.reactions()).toEqual([]);
});

it.each(["xgroup|destroy", "del", "pexpire"])(
  "a reaction stays complete if the user lacks the permission for %s",
  async (command) => {
    const { list, namespace } = await replicas(1);
    await (await reacting(list[0], () => {})).close();
    const before = await reactionKeys(namespace);
    const { url } = await useValkey();
    const username = `u${namespace}`;
    await (await admin()).call(
      "ACL",
      "SETUSER",
      username,
      "reset",
      "on",
      ">sesame",
      "~*",
      "&*",
      "+@all",
      `-${command}`,
    );
    onTestFinished(async () => void (await (await admin()).call("ACL", "DELUSER", username)));
    const theirs = await (await client({ url, namespace, username, password: "sesame" })).installed("dial");
    if (theirs === null) throw new Error("There is no such machine");
    const error = await rejectionOf(NotExecutedError, theirs.forgetReaction("r"));
    expect(error).toMatchObject({ reply: "NOPERM" });
    expect(await reactionKeys(namespace)).toEqual(before);
    expect(await groups(namespace)).toEqual(["r"]);
  },
);

it("forgetting a reaction does not touch the reaction of another machine", async () => {
  const home = await client();
  const twin = { ...(await definitionOf()), name: "twin" };
  const [one, two] = [await home.machine(await definitionOf()), await home.machine(twin)];
  for (const ours of [one, two]) await (await ours.react("r", () => {})).close();
  await one.forgetReaction("r");
  expect([await one.reactions(), (await two.reactions()).map(({ name }) => name)]).toEqual([[], ["r"]]);
});

async function definitionOf(): Promise<MachineDefinition<"a" | "b">> {
  return { name: "solo", version: 1, initial: "a", states: { a: { to: ["b"] }, b: {} } };
}
