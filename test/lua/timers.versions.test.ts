import fc from "fast-check";
import { expect, it } from "vitest";
import { dueAt } from "../../src/contract/due-at.js";
import { compileMachine } from "../../src/index.js";
import type { Operation } from "../../src/lua/index.js";
import { stateOf } from "../../src/machine/compiled.js";
import type { ModelEntity } from "../../src/testing/model/entity.js";
import { Model } from "../../src/testing/model/model.js";
import { type Argument, admin } from "../helpers/calls.js";
import { client } from "../helpers/client.js";
import { Clocked } from "../helpers/clock.js";
import { TicketFixture } from "../helpers/fsck.js";

import {
  definitionOf,
  type Edit,
  editArb,
  edited,
  FIRST,
  firstArb,
  type Plan,
} from "../helpers/machine-versions.js";
import { Promises } from "../helpers/timer-promises.js";

const IDS = ["a", "b"];
const NEVER = Number.POSITIVE_INFINITY;

type Step =
  | { kind: "create" | "patch" | "remove" | "expire"; id: string }
  | { kind: "transition"; id: string; way: number }
  | { kind: "heartbeat"; id: string; isFenced: boolean }
  | { kind: "pass"; ms: number }
  | { kind: "sweep" }
  | { kind: "look" }
  | { kind: "apply"; edits: readonly Edit[]; to: number | null };

const idArb = fc.constantFrom(...IDS);
const kind = <K extends Step["kind"]>(name: K) => fc.constant(name);
const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: kind("create"), id: idArb }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("patch"), id: idArb }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("remove"), id: idArb }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("expire"), id: idArb }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("transition"), id: idArb, way: fc.nat(59) }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: kind("heartbeat"), id: idArb, isFenced: fc.nat(9).map((n) => n === 0) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind("pass"),
      ms: fc.constantFrom(1, 999, 1000, 5000, 5000, 5000, 10_000, 10_000, 20_000, 60_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("sweep") }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("look") }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: kind("apply"),
      edits: fc.array(editArb, { minLength: 1, maxLength: 3 }),
      to: fc.option(fc.nat(9), { freq: 6 }),
    }),
  },
);

/** A machine on the server and in the model, under one clock. */
class Run {
  readonly #location: Clocked;
  readonly #promises: Promises;
  readonly model: Model;
  #plan: Plan;

  constructor(location: Clocked, plan: Plan) {
    this.#location = location;
    this.#promises = new Promises(location);
    this.#plan = plan;
    this.model = new Model(compileMachine(definitionOf(plan, location.machine, 1)));
  }

  /** Does it on both sides, which have to agree. */
  async take(step: Step): Promise<void> {
    const model = this.model;
    model.timeMs = this.#location.nowMs;
    switch (step.kind) {
      case "pass":
        this.#location.pass(step.ms);
        break;
      case "apply":
        await this.#apply(step.edits, step.to);
        break;
      case "sweep": {
        const due = await this.#location.valkey.zrangebyscore(
          this.#location.key("due"),
          "-inf",
          model.timeMs,
        );
        expect([...due].sort()).toEqual(
          IDS.filter((id) => (model.entities.get(id)?.dueMs ?? NEVER) <= model.timeMs),
        );
        for (const id of due) await this.ask("expire", id);
        break;
      }
      case "look": // as a sweep does, step by step, at all that the index holds
        for (const id of IDS) await this.ask("expire", id);
        break;
      case "patch":
        await this.ask("patch", step.id, "SET", "n", "1");
        break;
      case "transition": {
        const { state = "done" } = model.entities.get(step.id) ?? {};
        const ways = [...model.targets(state), "lost"]; // the last is mostly illegal
        await this.ask("transition", step.id, String(ways[step.way % ways.length]));
        break;
      }
      case "heartbeat": {
        const { version = 1 } = model.entities.get(step.id) ?? {};
        await this.ask("heartbeat", step.id, "IFVERSION", step.isFenced ? version + 1 : version);
        break;
      }
      default:
        await this.ask(step.kind, step.id);
    }
  }

  async ask(
    operation: Exclude<Operation, "apply" | "get" | "restore">,
    id: string,
    ...args: Argument[]
  ): Promise<string> {
    const model = this.model;
    model.timeMs = this.#location.nowMs;
    const [outcome, told] = await this.#promises.ask(model.machine, operation, id, ...args);
    const { outcome: wanted } = model.run(operation, id, ...args.map(String));
    expect([operation, id, outcome, told]).toEqual([operation, id, wanted, model.entities.get(id)?.dueMs]);
    return outcome;
  }

  async #apply(edits: readonly Edit[], to: number | null): Promise<void> {
    const plan = edited(this.#plan, edits);
    const definition = definitionOf(plan, this.#location.machine, this.model.machine.version + 1);
    const machine = compileMachine(definition);
    const present = Object.keys(definition.states);
    const target = present[(to ?? 0) % present.length] ?? "";
    const map = to === null ? {} : Object.fromEntries([...plan.drop].map((state) => [state, target]));
    const words = Object.entries(map).flatMap(([state, other]) => ["MAP", state, other]);
    const [outcome] = await this.#location.apply(machine.json, ...words);
    const wanted = this.model.install(machine, map);
    expect(["apply", outcome]).toEqual(["apply", wanted]);
    if (wanted === "OK") this.#plan = plan;
  }

  /** Returns when an entity is due if only its entry and the last heartbeat count. */
  plain({ state, enteredMs, renewedMs }: ModelEntity): number | undefined {
    const spec = stateOf(this.model.machine, state);
    return spec && dueAt(spec, enteredMs, renewedMs);
  }

  /** Returns the findings of a strict fsck: states that the current version alone would not have left so. */
  strict(result: "repairable" | "notice" = "repairable"): string[] {
    const found = [...this.model.entities].flatMap(([id, it]) => {
      const plain = this.plain(it);
      const isKnown = this.model.machine.states[it.state] !== undefined;
      const due = plain === undefined ? "due-extra" : it.dueMs === undefined ? "due-missing" : "due-time";
      return [
        ...(isKnown && plain !== it.dueMs ? [`${due} ${id} ${result}`] : []),
        ...(it.log.length > Math.max(this.model.machine.history, 32) + 7 ? [`log-long ${id} ${result}`] : []),
      ];
    });
    return found.sort();
  }
}

/** Checks that each change follows its predecessor from a creation on. Returns the changes of lives that continue. */
function livesOf(events: readonly string[]): Map<string, string[]> {
  const lives = new Map<string, string[]>();
  for (const text of events) {
    const { id, from, version, type, machine, timestamp } = JSON.parse(text);
    const life = lives.get(id) ?? [];
    const last = life.length === 0 ? { state: null, version: 0, timestamp } : JSON.parse(life.at(-1) ?? "");
    expect([id, from, version]).toEqual([id, last.state, last.version + 1]);
    expect(timestamp >= last.timestamp).toBe(true);
    if (type === `${machine}.removed`) lives.delete(id);
    else lives.set(id, [...life, text]);
  }
  return lives;
}

/** Returns what the log of an entity has in common with a document. */
function essence(document: string): object {
  const { type, version, state } = JSON.parse(document);
  return { type, version, state };
}

it("keeps what it promises about timers while newer versions change them, in any order", async () => {
  const home = await client();
  let rounds = 0;
  const property = fc.asyncProperty(
    firstArb,
    fc.array(stepArb, { minLength: 1, maxLength: 80, size: "max" }),
    async (first, steps) => {
      rounds += 1;
      const plan = edited(FIRST, first);
      const jobs = await home.machine(definitionOf(plan, `job${rounds}`, 1));
      const location = new Clocked(await admin(), jobs.name, home.namespace);
      const run = new Run(location, plan);
      const { model } = run;
      for (const id of IDS) await run.ask("create", id);
      for (const step of steps) await run.take(step);

      const lives = livesOf(await location.events());
      expect(await location.events()).toHaveLength(model.events.length);
      for (const id of IDS) {
        const it = model.entities.get(id);
        const { state, version, since } = (await jobs.get(id)) ?? {};
        const at = it && new Date(it.enteredMs).toISOString();
        expect([id, state, version, since]).toEqual([id, it?.state, it?.version, at]);
        const logged = (await location.changes(id)).map(({ type, version, state }) => ({
          type,
          version,
          state,
        }));
        expect(logged).toEqual(
          lives
            .get(id)
            ?.slice(-(it?.log.length ?? 0))
            .map(essence) ?? [],
        );
      }
      const fixture = new TicketFixture(home, jobs, 1);
      expect(await fixture.results()).toEqual(run.strict("notice"));
      expect(await fixture.results({ strict: true })).toEqual(run.strict());

      // A sweep reads every entity. The rest has a later lease end, and fires at that time.
      for (const id of IDS) await run.ask("expire", id);
      const left = await fixture.results({ strict: true });
      expect(left).toEqual(run.strict());
      for (const [id, it] of model.entities) {
        if (!left.includes(`due-time ${id} repairable`)) continue;
        const isLater = (it.dueMs ?? 0) > (run.plain(it) ?? NEVER);
        const { lease } = stateOf(model.machine, it.state) ?? {};
        expect([id, lease !== undefined, isLater]).toEqual([id, true, true]);
      }
      expect(left.filter((finding) => !/^(due-time|log-long) /.test(finding))).toEqual([]);
      for (const id of IDS) {
        for (const isPutOff of left.includes(`due-time ${id} repairable`) ? [true, false] : [false]) {
          const { dueMs } = model.entities.get(id) ?? {};
          if (dueMs === undefined) continue;
          location.pass(Math.max(0, dueMs - location.nowMs));
          const outcome = await run.ask("expire", id);
          if (!isPutOff) expect(["OK", "MISSING"]).toContain(outcome);
        }
      }
    },
  );
  await fc.assert(property, { numRuns: 100 });
});
