import { expect, it } from "vitest";
import { ContractError, type MachineDefinition } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { gate, keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";

it("react is rejected while live replicas use other events, and those continue", async () => {
  const { list, namespace } = await replicas(2, 2);
  const [one, two = one] = list;
  const met: string[] = [];
  await reacting(one, (change) => void met.push(nameOf(change)), { on: ["dial.b"] });
  for (const on of [["dial.b", "dial.removed"], ["dial.removed"], undefined]) {
    const error = await rejectionOf(
      ContractError,
      two.react("r", () => {}, { ...(on && { on }) }),
    );
    expect(error.code).toBe("BADARG");
    expect(error.message).toContain(
      'runs with another "on" in other replicas: theirs is dial.b, this one\'s is ',
    );
    expect(error.message).toContain("use another name");
  }
  expect(await (await admin()).zcard(keyOf(namespace, "seen", 1))).toBe(1);
  for (let n = 0; n < 6; n++) {
    await one.create(`x${n}`);
    await one.transition(`x${n}`, "b");
  }
  await expect.poll(() => met.toSorted()).toEqual(Array.from({ length: 6 }, (_, n) => `x${n}@2`));
});

it("react accepts events of its own definition and of the installed one, in a rolling deployment", async () => {
  const home = await client();
  const { namespace } = home;
  const older: MachineDefinition = {
    name: "job",
    version: 1,
    initial: "queued",
    states: { queued: { event: "job.accepted", to: ["done"] }, done: {} },
  };
  const newer: MachineDefinition = {
    ...older,
    version: 2,
    states: { queued: { to: ["done", "failed"] }, done: {}, failed: {} },
  };
  const ahead = await home.machine(older);
  await home.apply(newer);
  const behind = await (await client({ namespace })).machine(older);
  for (const jobs of [ahead, behind]) {
    const on = ["job.accepted", "job.failed", "job.queued", "job.restored"];
    await (await jobs.react("r", () => {}, { on })).close();
    const error = await rejectionOf(
      ContractError,
      jobs.react("r", () => {}, { on: ["job.faild"] }),
    );
    expect(error.message).toContain('on: unknown event "job.faild"; did you mean "job.failed"?');
  }
});

it("react accepts the same events in another order, and other events under another name", async () => {
  const { list } = await replicas(3);
  const [one, two = one, three = one] = list;
  await reacting(one, () => {}, { on: ["dial.b", "dial.removed"] });
  await reacting(two, () => {}, { on: ["dial.removed", "dial.b", "dial.b"] });
  const met: string[] = [];
  const other = await three.react("r2", (change) => void met.push(nameOf(change)));
  await one.create("x1");
  await expect.poll(() => met).toEqual(["x1@1"]);
  await other.close();
});

it("react accepts other events after all replicas left, and continues at their position", async () => {
  const { list } = await replicas(2);
  const [one, two = one] = list;
  await (await reacting(one, () => {}, { on: ["dial.b"] })).close();
  await one.create("x1");
  const met: string[] = [];
  await reacting(two, (change) => void met.push(nameOf(change)));
  await expect.poll(() => met).toEqual(["x1@1"]);
});

it("a replica that counted as dead ends with an error if other replicas use other events now", async () => {
  const { list, namespace } = await replicas(2);
  const [one, two = one] = list;
  const hold = gate();
  const old = await reacting(one, () => hold.promise, { on: ["dial.b"] });
  const ended = rejectionOf(ContractError, old.closed);
  const met: string[] = [];
  // To the others, a replica that froze for long looks like this.
  await expect
    .poll(async () => {
      await (await admin()).zadd(keyOf(namespace, "seen"), 0, String(await consumerOf(namespace)));
      return reacting(two, (change) => void met.push(nameOf(change))).then(
        () => "started",
        () => "rejected",
      );
    })
    .toBe("started");
  hold.open();
  expect((await ended).message).toContain("theirs is all events, this one's is dial.b");
  await one.create("x1");
  await expect.poll(() => met).toEqual(["x1@1"]);
});

async function consumerOf(namespace: string): Promise<string | undefined> {
  return (await (await admin()).zrange(keyOf(namespace, "seen"), 0, 0))[0];
}

it("an empty list of events is rejected, and no reaction is created", async () => {
  const { list } = await replicas(1);
  const [ours] = list;
  for (const call of [ours.react("r", () => {}, { on: [] }), ours.follow(() => {}, { on: [] })]) {
    const error = await rejectionOf(ContractError, call);
    expect(error.code).toBe("BADARG");
    expect(error.message).toBe("on is empty: name at least one event, or omit on for all events");
  }
  expect(await ours.reactions()).toEqual([]);
});
