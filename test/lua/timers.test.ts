import fc from "fast-check";
import { expect, it } from "vitest";
import { dueAt } from "../../src/contract/due-at.js";
import { defineMachine, type MachineDefinition } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client } from "../helpers/client.js";
import { Clocked } from "../helpers/clock.js";
import { TicketFixture } from "../helpers/fsck.js";

const job: MachineDefinition = defineMachine({
  name: "job",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["working", "held"], timeout: { after: "60s", to: "working" } },
    working: {
      to: ["waiting", "held", "lost", "late", "done"],
      lease: { for: "30s", to: "lost", set: { error: "no sign of life" } },
      timeout: { after: "90s", to: "late" },
    },
    held: { to: ["held", "lost"], lease: { for: "20s", to: "held" } },
    lost: { to: ["working"], require: ["error"] },
    late: { retain: "100s" },
    done: { retain: "50s" },
  },
  history: 6,
});
const IDS = ["a", "b"];

interface Alive {
  state: string;
  version: number;
  changed: number;
  since: number;
  renewed: number;
}

/** By how much the clock may be behind an entity that is still dated by its last change or heartbeat. */
const STEP = 60_000;

/** Models the entities by the design alone. */
class Expected {
  readonly alive = new Map<string, Alive>();
  changes = 0;
  now = 0;

  due(id: string): number | undefined {
    const { state, since, renewed } = this.alive.get(id) ?? { state: "", since: 0, renewed: 0 };
    const seconds = (text: unknown) => Number(String(text ?? "NaN").replace("s", "000"));
    const { timeout, lease, retain } = job.states[state] ?? {};
    const ends = [
      since + seconds(timeout?.after),
      (renewed || since) + seconds(lease?.for),
      since + seconds(retain),
    ];
    const set = ends.filter((end) => !Number.isNaN(end));
    return set.length === 0 ? undefined : Math.min(...set);
  }

  /** Returns the time of a call, and corrects an entity that is dated too far ahead. */
  #touch(it: Alive | undefined): number {
    const { now } = this;
    const latest = Math.max(it?.changed ?? 0, it?.renewed ?? 0);
    if (it === undefined || latest <= now + STEP) return Math.max(now, latest);
    it.changed = Math.min(it.changed, now);
    it.since = Math.min(it.since, now);
    it.renewed = Math.min(it.renewed, now);
    return now;
  }

  enter(id: string, state: string): "OK" {
    const before = this.alive.get(id);
    const at = this.#touch(before);
    this.alive.set(id, { state, version: (before?.version ?? 0) + 1, changed: at, since: at, renewed: 0 });
    this.changes += 1;
    return "OK";
  }

  transition(id: string, to: string): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    return job.states[it.state]?.to?.includes(to) ? this.enter(id, to) : "ILLEGAL";
  }

  patch(id: string): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    it.changed = this.#touch(it);
    it.version += 1;
    this.changes += 1;
    return "OK";
  }

  remove(id: string): string {
    if (!this.alive.delete(id)) return "NOTFOUND";
    this.changes += 1;
    return "OK";
  }

  heartbeat(id: string, version: number): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    if (it.version !== version) return "CONFLICT";
    if (job.states[it.state]?.lease === undefined) return "ILLEGAL";
    it.renewed = this.#touch(it);
    return "OK";
  }

  expire(id: string): string {
    const it = this.alive.get(id);
    if (it === undefined) return "NOTFOUND";
    this.#touch(it);
    const end = this.due(id);
    if (end === undefined || end > this.now) return "NOTDUE";
    const { retain, timeout, lease } = job.states[it.state] ?? {};
    if (retain !== undefined) return this.remove(id);
    const ranOut = it.state === "working" && end === it.since + 90_000 ? timeout : (lease ?? timeout);
    return this.enter(id, ranOut?.to ?? "");
  }
}

type Step =
  | { kind: "create" | "patch" | "remove" | "expire"; id: string }
  | { kind: "transition"; id: string; way: number }
  | { kind: "heartbeat"; id: string; isFenced: boolean }
  | { kind: "pass"; ms: number }
  | { kind: "sweep" };

const idArb = fc.constantFrom(...IDS);
const kind = <K extends Step["kind"]>(name: K) => fc.constant(name);
const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kind("create"), id: idArb }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("patch"), id: idArb }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("remove"), id: idArb }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("expire"), id: idArb }) },
  { weight: 6, arbitrary: fc.record({ kind: kind("transition"), id: idArb, way: fc.nat(59) }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: kind("heartbeat"), id: idArb, isFenced: fc.nat(5).map((n) => n === 0) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind("pass"),
      ms: fc.constantFrom(1, 5000, 5000, 10_000, 10_000, 15_000, 20_000, 30_000, 60_000, 86_400_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("pass"), // the clock is set back
      ms: fc.constantFrom(-1, -5000, -30_000, -60_000, -60_001, -86_400_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("sweep") }) },
);

async function take(
  location: Clocked,
  expected: Expected,
  step: Step,
): Promise<[found: string, wanted: string]> {
  expected.now = location.nowMs;
  switch (step.kind) {
    case "pass":
      location.pass(step.ms);
      return ["", ""];
    case "sweep": {
      const due = await location.valkey.zrangebyscore(location.key("due"), "-inf", location.nowMs);
      const wanted = IDS.filter((id) => (expected.due(id) ?? Number.POSITIVE_INFINITY) <= location.nowMs);
      expect([...due].sort()).toEqual(wanted);
      for (const id of due) expect((await location.run("expire", id))[0]).toBe(expected.expire(id));
      return ["", ""];
    }
    case "create": {
      const isTaken = expected.alive.has(step.id);
      const [outcome] = await location.run("create", step.id);
      return [outcome, isTaken ? "EXISTS" : expected.enter(step.id, "waiting")];
    }
    case "patch":
      return [(await location.run("patch", step.id, "SET", "n", "1"))[0], expected.patch(step.id)];
    case "transition": {
      const { state = "done" } = expected.alive.get(step.id) ?? {};
      const ways = [...(job.states[state]?.to ?? []), "late"]; // the last is mostly illegal
      const to = String(ways[step.way % ways.length]);
      const [outcome] = await location.run("transition", step.id, to, "SET", "error", '"asked"');
      return [outcome, expected.transition(step.id, to)];
    }
    case "heartbeat": {
      const version = (expected.alive.get(step.id)?.version ?? 1) + (step.isFenced ? 1 : 0);
      const [outcome] = await location.run("heartbeat", step.id, "IFVERSION", version);
      return [outcome, expected.heartbeat(step.id, version)];
    }
    default:
      return [(await location.run(step.kind, step.id))[0], expected[step.kind](step.id)];
  }
}

it("keeps entities, index, due, logs and stream in step over all that may happen to them and to the clock, in any order", async () => {
  const home = await client();
  let rounds = 0;
  const property = fc.asyncProperty(
    fc.array(stepArb, { minLength: 1, maxLength: 100, size: "max" }),
    async (steps) => {
      rounds += 1;
      const jobs = await home.machine({ ...job, name: `job${rounds}` });
      const location = new Clocked(await admin(), jobs.name, home.namespace);
      const expected = new Expected();
      const begin = IDS.map((id): Step => ({ kind: "create", id }));
      for (const step of [...begin, ...steps]) {
        const [found, wanted] = await take(location, expected, step);
        expect([step, found]).toEqual([step, wanted]);
      }
      for (const id of IDS) {
        const it = expected.alive.get(id);
        const { state, version, since } = (await jobs.get(id)) ?? {};
        const at = it && new Date(it.since).toISOString();
        expect([id, state, version, since]).toEqual([id, it?.state, it?.version, at]);
        const due = await location.score("due", id);
        expect([id, due === null ? undefined : Number(due)]).toEqual([id, expected.due(id)]);
      }
      expect(await location.events()).toHaveLength(expected.changes);
      expect(await new TicketFixture(home, jobs, 1).results({ strict: true })).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns: 150 });
});

it("reckons on this side as the scripts do", () => {
  const timed = { event: "x", timeout: { after: 90, to: "y" }, lease: { for: 30, to: "y" } };
  expect(dueAt(timed, 1000)).toBe(1030);
  expect(dueAt(timed, 1000, 1020)).toBe(1050);
  expect(dueAt(timed, 1000, 0)).toBe(1030);
  expect(dueAt(timed, 1000, 1080)).toBe(1090);
  expect(dueAt({ event: "x", retain: 5 }, 1000)).toBe(1005);
  expect(dueAt({ event: "x" }, 1000)).toBeUndefined();
});
