import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ContractError } from "../../src/index.js";
import { reactionScripts } from "../../src/lua/reactions.js";
import { ReactionGroup } from "../../src/reactions/group.js";
import { openConnection } from "../../src/valkey/open-connection.js";
import { built, root } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { client, rejection, rejectionOf } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { ownServer } from "../helpers/doctor.js";
import { startProxy } from "../helpers/proxy.js";
import { begin, finish, gate, keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

/** Lists the keys of the reaction, without the note that it was forgotten. */
async function kept(namespace: string): Promise<string[]> {
  const valkey = await admin();
  const keys = await valkey.keys(`{${namespace}:*}:dial:reaction:r:*`);
  const noted = await Promise.all(
    keys.map((key) => (key.endsWith(":rules") ? valkey.hexists(key, "forgotten") : 0)),
  );
  return keys.filter((_, at) => noted[at] === 0);
}

/** Forgets the reaction; makes its replicas count as dead before each attempt. */
async function forgetsAll(
  { list, namespace }: Awaited<ReturnType<typeof replicas>>,
  partitions: number,
): Promise<void> {
  const valkey = await admin();
  const attempt = async (): Promise<unknown> => {
    for (let partition = 0; partition < partitions; partition += 1) {
      const seen = keyOf(namespace, "seen", partition);
      for (const consumer of await valkey.zrange(seen, 0, -1)) await valkey.zadd(seen, 0, consumer);
    }
    return list[0].forgetReaction("r", { force: true }).catch((error: unknown) => error);
  };
  await expect.poll(attempt, { interval: 1 }).toMatchObject({ name: "r" });
}

describe("a replica whose reaction was forgotten while it counted as dead", () => {
  it("ends when it thaws, aborts its handlers, and creates nothing", async () => {
    const { list, namespace } = await replicas(1, 2);
    const [ours] = list;
    const { url } = await useValkey();
    const code = `
      import { connect } from "latchkey";
      const latchkey = await connect(${JSON.stringify({ url, namespace })});
      const dials = await latchkey.machine(${JSON.stringify(dial)});
      const reaction = await dials.react("r", (change, { signal }) => new Promise((resolve) => {
        console.log("begun");
        signal.addEventListener("abort", () => { console.log("aborted " + signal.reason.message); resolve(); });
      }), { takeOverAfter: "300ms" });
      await reaction.closed.catch(({ name, code, message }) => console.log([name, code, message].join(" ")));
      await latchkey.close();`;
    const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", code], {
      cwd: root,
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const output: string[] = [];
    createInterface(child.stdout).on("line", (line) => output.push(line));
    await expect.poll(async () => (await ours.reactions())[0]?.consumers).toBe(1);
    await ours.create("x1");
    await expect.poll(() => output).toEqual(["begun"]);
    child.kill("SIGSTOP");
    const forget = () => ours.forgetReaction("r", { force: true }).catch((error: unknown) => error);
    await expect.poll(forget).toMatchObject({ name: "r", pending: 1, consumers: 1 });
    const exit = once(child, "exit");
    child.kill("SIGCONT");
    expect((await exit)[0]).toBe(0);
    expect(output).toEqual([
      "begun",
      expect.stringMatching(/^aborted reaction r was forgotten while this replica sent no heartbeat/),
      expect.stringMatching(/^ContractError NOREACTION reaction r was forgotten .* start it again only if/),
    ]);
    expect(await ours.reactions()).toEqual([]);
    expect(await kept(namespace)).toEqual([]);
  });

  it("ends with all handlers busy and others waiting for a retry, over all partitions", async () => {
    const stage = await replicas(2, 3);
    const [ours, writer = ours] = stage.list;
    const hold = gate();
    const signals: AbortSignal[] = [];
    const { logger, lines } = recordingLogger();
    const far = await client({ namespace: stage.namespace, logger });
    const reaction = await (await far.machine(dial)).react(
      "r",
      async ({ id }, { signal }) => {
        if (id === "fails") throw new Error("no");
        signals.push(signal);
        await hold.promise;
      },
      { concurrency: 3, retries: { first: "1h", longest: "1h" } },
    );
    const ended = rejectionOf(ContractError, reaction.closed);
    await writer.create("fails");
    await expect.poll(() => lines.join()).toContain("a handler failed");
    for (let n = 0; n < 9; n++) await writer.create(`x${n}`);
    await expect.poll(() => signals.length).toBe(3);
    await forgetsAll(stage, 3);
    expect(await ended).toMatchObject({ code: "NOREACTION" });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
    hold.open();
    await reaction.close();
    expect(signals).toHaveLength(3);
    for (let n = 0; n < 5; n++) await far.serverTime(); // after the calls that take back the interrupted attempts
    expect(lines.join()).not.toContain("an attempt counts although it was interrupted");
    expect(await ours.reactions()).toEqual([]);
    expect(await kept(stage.namespace)).toEqual([]);
  });

  it("takes part in a new reaction of the same name, without its old events", async () => {
    const { list, namespace } = await replicas(2);
    const [one, two = one] = list;
    const { url } = await useValkey();
    const connection = await openConnection({ url });
    onTestFinished(() => connection.close());
    const away = new ReactionGroup(connection, { namespace, machine: "dial", partitions: 1 }, 0, "r", "away");
    await away.create("end");
    await one.create("x1");
    await (await admin()).xgroup("SETID", away.keys.events, "r", "0");
    const taking = { count: 10, takeOverMs: 1, delayMs: 0, types: [] };
    const [old] = (await away.take(taking)).deliveries;
    if (old === undefined) throw new Error("nothing was delivered");
    await expect.poll(() => one.forgetReaction("r", { force: true }).catch(() => null)).not.toBeNull();
    const met: string[] = [];
    const anew = await reacting(two, (change) => void met.push(nameOf(change)));
    expect(await away.take({ ...taking, takeOverMs: 30_000, count: 0 })).toMatchObject({
      isStale: true,
    });
    expect([await begin(away, old), await away.owns(old), await finish(away, old)]).toEqual([
      undefined,
      false,
      undefined,
    ]);
    await one.create("x2");
    await expect.poll(() => met).toEqual(["x2@1"]);
    await anew.close();
  });
});

describe("a consumer", () => {
  async function consumer() {
    const { list, namespace } = await replicas(1);
    const { url } = await useValkey();
    const connection = await openConnection({ url });
    onTestFinished(() => connection.close());
    const group = new ReactionGroup(connection, { namespace, machine: "dial", partitions: 1 }, 0, "r", "me");
    await group.create("start");
    const taking = { count: 10, takeOverMs: 1, delayMs: 0, types: [] };
    return { ours: list[0], namespace, group, taking, valkey: await admin() };
  }

  it("cannot change events of a forgotten reaction, and gets an error when it takes more", async () => {
    const { ours, namespace, group, taking } = await consumer();
    await ours.create("x1");
    const [event] = (await group.take(taking)).deliveries;
    if (event === undefined) throw new Error("nothing was delivered");
    await expect.poll(() => ours.forgetReaction("r", { force: true }).catch(() => null)).not.toBeNull();
    for (const call of [
      () => begin(group, event),
      () => finish(group, event),
      () => group.pause(event, 1, 2, "failed"),
    ])
      expect((await rejection(call())).message).toMatch(/^NOGROUP /);
    expect(await group.owns(event)).toBe(false);
    await group.leave();
    const error = await rejectionOf(ContractError, group.take(taking));
    expect(error).toMatchObject({
      code: "NOREACTION",
      message: expect.stringContaining("reaction r was forgotten while this replica sent no heartbeat"),
    });
    expect(await kept(namespace)).toEqual([]);
  });

  it("cannot begin if the reaction is forgotten between its two steps, and can afterwards", async () => {
    const { ours, group, taking } = await consumer();
    await ours.forgetReaction("r");
    await rejectionOf(ContractError, group.join(taking));
    await group.create("start");
    await group.join(taking);
    expect((await ours.reactions())[0]).toMatchObject({ consumers: 1 });
  });

  it("ends if it was away for longer than the server notes that a reaction was forgotten", async () => {
    const { group, taking, valkey } = await consumer();
    await group.take(taking);
    await valkey.xgroup("DESTROY", group.keys.events, "r");
    expect((await rejection(group.take(taking))).message).toMatch(/^NOGROUP /);
    const [seconds] = await valkey.time();
    const asks = (knownMs: number) =>
      rejection(
        valkey.eval(
          reactionScripts.take.text,
          6,
          ...[...Object.values(group.keys), "r", "me", "1", "0", "1"],
          ...[String(knownMs), "1000", "0", "0"],
        ),
      );
    const nowMs = Number(seconds) * 1000;
    expect((await asks(nowMs + 60_000)).message).toMatch(/^NOGROUP /);
    expect((await asks(nowMs - 1)).message).toMatch(/^GONE /);
    expect((await asks(0)).message).toMatch(/^NOGROUP /); // a new consumer
  });
});

it("a consumer passes the time until which the server knows that the reaction was forgotten: a day after its last heartbeat", async () => {
  const { server, admin: valkey } = await ownServer({ args: ["--slowlog-log-slower-than", "0"] });
  const connection = await openConnection({ url: server.url });
  onTestFinished(() => connection.close());
  const group = new ReactionGroup(connection, { namespace: "n", machine: "m", partitions: 1 }, 0, "r", "me");
  await group.create("start");
  for (let n = 0; n < 2; n++) await group.take({ count: 1, takeOverMs: 1, delayMs: 0, types: [] });
  const [seconds] = await valkey.time();
  const calls = (await valkey.slowlog("GET", 100)) as [number, number, number, string[]][];
  const known = calls.flatMap(([, , , [name, , , ...rest]]) => (name === "evalsha" ? Number(rest[11]) : []));
  const [second = 0, first] = known.filter((ms) => !Number.isNaN(ms));
  expect(first).toBe(0);
  expect(Math.abs(second - 86_400_000 - Number(seconds) * 1000)).toBeLessThan(60_000);
});

it("forgetting completes in all partitions after the first, although a reply was lost and a replica joined another partition", async () => {
  const proxy = await startProxy(await useValkey());
  const { list, namespace } = await replicas(1, 2);
  const far = await (await client({ url: proxy.url, namespace })).machine(dial);
  await (await reacting(list[0], () => {})).close();
  const valkey = await admin();
  const [seconds] = await valkey.time();
  const sign = () => valkey.zadd(keyOf(namespace, "seen", 1), Number(seconds) * 1000, "thawed");
  proxy.dropReply("\r\nunused\r\n");
  proxy.shut(true);
  const forgetting = far.forgetReaction("r").catch((error: unknown) => error);
  await proxy.lost;
  await sign();
  proxy.shut(false);
  expect(await forgetting).toMatchObject({ name: "r", consumers: 0 });
  expect(await kept(namespace)).toEqual([]);
  expect(await list[0].reactions()).toEqual([]);
});
