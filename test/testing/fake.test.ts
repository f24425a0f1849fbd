import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type Change,
  connect,
  type Entities,
  type Latchkey,
  LatchkeyError,
  type MachineDefinition,
  type Snapshot,
  type StateDefinition,
} from "../../src/index.js";
import { fakeEntities } from "../../src/testing/index.js";
import { Model } from "../../src/testing/model/model.js";
import { admin, Calls } from "../helpers/calls.js";
import { KEYS, machineArb, STATES, type Step, stepArb } from "../helpers/fake-walk.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

interface Walk {
  readonly machine: MachineDefinition;
  readonly steps: readonly Step[];
}

const walkArb: fc.Arbitrary<Walk> = fc.record({
  machine: machineArb,
  steps: fc.array(stepArb, { minLength: 1, maxLength: 30, size: "max" }),
});

let home: Latchkey;
let walks = 0;
beforeAll(async () => {
  const { url } = await useValkey();
  home = await connect({ url, namespace: freshNamespace() });
  return () => home.close();
});

/** All that the caller of a step learns, and the times of the changes that it made. */
interface Answer {
  readonly answer: unknown;
  readonly timesMs: readonly number[];
}

async function take(entities: Entities, step: Step): Promise<Answer> {
  const changes: Change[] = [];
  try {
    if (step.call === "sweep") {
      const report = await entities.sweep({ once: true, onChange: (change) => changes.push(change) });
      return { answer: plain({ report, changes }), timesMs: changes.map(({ timestamp }) => msOf(timestamp)) };
    }
    // The types of the arguments were drawn together with the name of the call.
    const method = entities[step.call] as (...args: unknown[]) => ReturnType<Entities["tryCreate"]>;
    const result = await method.apply(entities, step.args);
    if (result.ok) return { answer: plain(result), timesMs: timesOf(step, result.document) };
    const { outcome, current, error } = result;
    return { answer: { outcome, current: plain(current), error: textOf(error) }, timesMs: [] };
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    return { answer: textOf(error), timesMs: [] };
  }
}

/** Returns the times at which a client and then the server read the clock for a change. */
function timesOf({ call, args }: Step, { timestamp, since }: Snapshot): number[] {
  const isEntryRead = call === "tryRestore" && !("since" in (args?.[2] ?? {}));
  return isEntryRead ? [msOf(since), msOf(timestamp)] : [msOf(timestamp)];
}

function msOf(time: string): number {
  return Date.parse(time);
}

function textOf({ name, code, message }: LatchkeyError): object {
  return { name, code, message: message.replaceAll(/\bm\d+\b/g, "m") };
}

/** Removes generated idempotency keys, positions and the name of the machine. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (name, member) =>
    (name === "op" && !KEYS.includes(member)) || name === "position" ? undefined : member,
  );
  return JSON.parse(text.replaceAll(/\bm\d+\b/g, "m"));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Reads everything that entities show of themselves. */
async function look(entities: Entities): Promise<object> {
  const pages = [];
  for (let cursor: string | undefined; ; ) {
    const page = await entities.listPage({ limit: 1, ...(cursor !== undefined && { cursor }) });
    pages.push(page.items);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  return plain({
    entities: [await entities.get("a"), await entities.get("b")],
    histories: [await entities.history("a"), await entities.history("b", 2)],
    list: await all(entities.list()),
    old: await all(entities.list({ olderThan: "1m" })),
    due: await all(entities.list({ dueWithin: "90m" })),
    stuck: await all(entities.list({ stuck: true, state: STATES.slice(1) })),
    pages,
    count: await entities.count(),
    events: await all(entities.events({ after: "start", follow: false })),
  }) as object;
}

/** Reads the time of the last heartbeat of an entity, in ms. */
async function heartbeatMs({ name }: Entities, id: string): Promise<number> {
  const calls = new Calls(await admin(), name, home.namespace);
  return Number((await calls.hash(id))["times:ms"]?.split(" ")[2] ?? 0);
}

/** Takes the same steps on the server and in memory. Throws if they disagree. */
async function walk({ machine, steps }: Walk, faked: MachineDefinition = machine): Promise<void> {
  walks += 1;
  const name = `m${walks}`;
  const real: Entities = await home.machine({ ...machine, name });
  // The clock of the entities in memory shows the times that the server had, so that all documents are equal.
  const clock: number[] = [];
  const now = (): number => (clock.length > 1 ? clock.shift() : clock[0]) ?? 0;
  const fake: Entities = fakeEntities({ ...faked, name }, { now });
  for (const step of steps) {
    const { answer, timesMs } = await take(real, step);
    const { nowMs } = await home.serverTime();
    const heartbeat = step.call === "tryHeartbeat" ? await heartbeatMs(real, step.args[0]) : 0;
    // A sweep reads the clock before the first change, and a heartbeat has a time that its reply does not contain.
    const times = step.call === "sweep" ? [nowMs, ...timesMs] : heartbeat > 0 ? [heartbeat] : timesMs;
    clock.splice(0, clock.length, ...(times.length === 0 ? [nowMs] : times));
    expect([step, (await take(fake, step)).answer]).toEqual([step, answer]);
    clock.splice(0, clock.length, nowMs);
  }
  expect(await look(fake)).toEqual(await look(real));
}

it("entities in memory and on a server answer random calls on random machines alike", async () => {
  await fc.assert(
    fc.asyncProperty(walkArb, (drawn) => walk(drawn)),
    { numRuns: 60 },
  );
});

describe("a wrong model is detected:", () => {
  const original = Model.prototype.run;
  afterEach(() => {
    Model.prototype.run = original;
  });

  /** Removes a word with its values from the words of a call. */
  const without =
    (word: string, length: number) =>
    (args: readonly string[]): string[] => {
      const at = args.indexOf(word);
      return at < 0 ? [...args] : [...args.slice(0, at), ...args.slice(at + length)];
    };
  const ignored: Record<string, (args: readonly string[]) => string[]> = {
    "the expected version is ignored": without("IFVERSION", 2),
    "the expected state is ignored": without("IFSTATE", 2),
    "the idempotency key is ignored": without("OP", 4),
    "a dry run writes": without("DRYRUN", 1),
    "force is ignored": without("FORCE", 1),
    "notAfter is ignored": without("NOTAFTER", 2),
    "the actor is not stored": without("ACTOR", 2),
    "the reason is not stored": without("REASON", 2),
    "a field is not written": without("SET", 3),
    "a field is not removed": without("UNSET", 2),
  };
  for (const [name, mutate] of Object.entries(ignored)) {
    it(name, async () => {
      Model.prototype.run = function run(operation, id, ...args) {
        return original.call(this, operation, id, ...mutate(args));
      };
      await expectDifference((machine) => machine);
    });
  }

  const states =
    (change: (state: StateDefinition, name: string) => StateDefinition) => (machine: MachineDefinition) => ({
      ...machine,
      states: Object.fromEntries(
        Object.entries(machine.states).map(([name, state]) => [name, change(state, name)]),
      ),
    });
  const wrong: Record<string, (machine: MachineDefinition) => MachineDefinition> = {
    "a transition too many": states(({ to = [], timeout, lease, retain, ...state }) => ({
      ...state,
      to: [...new Set([...to, "open"])],
      ...(timeout && { timeout }),
      ...(lease && { lease }),
    })),
    "required fields are not checked": states(({ require, ...state }) => state),
    "stamps are not set": states(({ stamp, ...state }) => state),
    "events have other names": states(({ event, ...state }) => state),
    "timeouts do not fire": states(({ timeout, ...state }) => state),
    "leases are shorter": states(({ lease, ...state }) => ({
      ...state,
      ...(lease && { lease: { ...lease, for: 60_000 } }),
    })),
    "entities are not removed after their retention": states(({ retain, ...state }) => state),
    "the history is longer": (machine) => ({ ...machine, history: 10 }),
  };
  for (const [name, mutate] of Object.entries(wrong)) it(name, () => expectDifference(mutate));

  async function expectDifference(mutate: (machine: MachineDefinition) => MachineDefinition): Promise<void> {
    const property = fc.asyncProperty(walkArb, (drawn) => walk(drawn, mutate(drawn.machine)));
    const { failed } = await fc.check(property, { numRuns: 200, seed: 1, endOnFailure: true });
    expect(failed).toBe(true);
  }
});
