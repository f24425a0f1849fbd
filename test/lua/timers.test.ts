import fc from "fast-check";
import { expect, it } from "vitest";
import { dueAt } from "../../src/contract/due-at.js";
import { compileMachine, defineMachine, type MachineDefinition } from "../../src/index.js";
import type { Operation } from "../../src/lua/index.js";
import { Model } from "../../src/testing/model/model.js";
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

/** Takes a step on the server and in the model. @returns their outcomes */
async function take(location: Clocked, model: Model, step: Step): Promise<[found: string, wanted: string]> {
  model.timeMs = location.nowMs;
  const ask = async (
    operation: Exclude<Operation, "apply">,
    ...args: string[]
  ): Promise<[string, string]> => {
    const id = "id" in step ? step.id : "";
    const [found] = await location.run(operation, id, ...args);
    return [found, model.run(operation, id, ...args).outcome];
  };
  switch (step.kind) {
    case "pass":
      location.pass(step.ms);
      return ["", ""];
    case "sweep": {
      const due = await location.valkey.zrangebyscore(location.key("due"), "-inf", location.nowMs);
      const wanted = IDS.filter(
        (id) => (model.entities.get(id)?.dueMs ?? Number.POSITIVE_INFINITY) <= location.nowMs,
      );
      expect([...due].sort()).toEqual(wanted);
      for (const id of due)
        expect((await location.run("expire", id))[0]).toBe(model.run("expire", id).outcome);
      return ["", ""];
    }
    case "patch":
      return ask("patch", "SET", "n", "1");
    case "transition": {
      const { state = "done" } = model.entities.get(step.id) ?? {};
      const targets = [...model.targets(state), "late"]; // the last is mostly illegal
      return ask("transition", String(targets[step.way % targets.length]), "SET", "error", '"asked"');
    }
    case "heartbeat": {
      const version = (model.entities.get(step.id)?.version ?? 1) + (step.isFenced ? 1 : 0);
      return ask("heartbeat", "IFVERSION", String(version));
    }
    default:
      return ask(step.kind);
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
      const model = new Model(compileMachine(job));
      const begin = IDS.map((id): Step => ({ kind: "create", id }));
      for (const step of [...begin, ...steps]) {
        const [found, wanted] = await take(location, model, step);
        expect([step, found]).toEqual([step, wanted]);
      }
      for (const id of IDS) {
        const it = model.entities.get(id);
        const { state, version, since } = (await jobs.get(id)) ?? {};
        const at = it && new Date(it.enteredMs).toISOString();
        expect([id, state, version, since]).toEqual([id, it?.state, it?.version, at]);
        const due = await location.score("due", id);
        expect([id, due === null ? undefined : Number(due)]).toEqual([id, it?.dueMs]);
      }
      expect(await location.events()).toHaveLength(model.events.length);
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
