import fc from "fast-check";
import { expect, it } from "vitest";
import { type Argument, Calls, machine, op } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";
import { type SteppedServer, steppedServer } from "../helpers/stepped-server.js";

const IDS = ["p1", "p2"];
const SINCE = "1000000000000";
const KINDS = ["create", "transition", "patch", "remove", "restore"] as const;
const ARGS: Record<(typeof KINDS)[number], readonly Argument[]> = {
  create: [],
  transition: ["sent", "FORCE", "REASON", "by hand"],
  patch: ["SET", "n", "1"],
  remove: [],
  restore: ["packed", "7", SINCE, SINCE],
};

type Step =
  | { kind: "begin"; operation: (typeof KINDS)[number]; id: string; old: number } // a new key; its first attempt comes later
  | { kind: "deliver"; which: number } // an attempt or a copy of one
  | { kind: "resend"; which: number } // to a first and only attempt that got FORGOTTEN
  | { kind: "others"; id: string; count: number } // as many patches with other keys
  | { kind: "recreate"; id: string } // without keys
  | { kind: "clock"; ms: number }
  | { kind: "save" } // what a replica has
  | { kind: "fail over" }; // to it

const kind = <K extends Step["kind"]>(name: K) => fc.constant(name);
const id = fc.constantFrom(...IDS);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: kind("begin"), operation: fc.constantFrom(...KINDS), id, old: fc.nat(9) }),
  },
  { weight: 12, arbitrary: fc.record({ kind: kind("deliver"), which: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("resend"), which: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("others"), id, count: fc.constantFrom(1, 5, 32, 33) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("recreate"), id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("clock"),
      ms: fc.constantFrom(-1, -30_000, -86_400_000, 1000, 90_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind("save") }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("fail over") }) },
);

interface Intent {
  readonly operation: (typeof KINDS)[number];
  readonly id: string;
  readonly key: string;
  seen: string;
  attempts: number;
  /** The log's end, if the last attempt was FORGOTTEN. */
  end: string | null;
}

/** Returns how often each key took effect, as far as the event log still knows. */
async function effects(calls: Calls): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const document of await calls.events()) {
    const key = JSON.parse(document).op;
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

class Run {
  readonly #calls: Calls;
  readonly #intents: Intent[] = [];
  /** Positions that callers have seen, oldest first, also those that a failover lost. */
  readonly #seen = ["0-0"];
  #saved: [key: string, dump: Buffer][] = [];
  #count = 0;

  readonly #server: SteppedServer | undefined;

  constructor(calls: Calls, server: SteppedServer | undefined) {
    this.#calls = calls;
    this.#server = server;
  }

  async save(): Promise<void> {
    const { valkey, namespace } = this.#calls;
    const keys = await valkey.keys(`*${namespace}*`);
    this.#saved = await Promise.all(
      keys.map(async (key): Promise<[string, Buffer]> => {
        const dump = await valkey.dumpBuffer(key);
        return [key, dump ?? Buffer.alloc(0)];
      }),
    );
  }

  async #failOver(): Promise<void> {
    const { valkey, namespace } = this.#calls;
    const keys = await valkey.keys(`*${namespace}*`);
    if (keys.length > 0) await valkey.del(...keys);
    for (const [key, dump] of this.#saved) await valkey.restore(key, 0, dump);
  }

  async #deliver(intent: Intent): Promise<void> {
    const { operation, id, key, seen } = intent;
    intent.attempts += 1;
    const before = (await effects(this.#calls)).get(key) ?? 0;
    const [outcome, document, position] = await this.#calls.run(
      operation,
      id,
      ...ARGS[operation],
      ...op(key, seen),
    );
    const after = (await effects(this.#calls)).get(key) ?? 0;
    const context = { ...intent, outcome, before, after, position, document };
    expect({ ...context, isOnce: after <= 1 }).toEqual({ ...context, isOnce: true });
    expect({ ...context, isChanged: after > before }).toEqual({ ...context, isChanged: outcome === "OK" });
    // Every outcome except FORGOTTEN answers for all attempts that were executed so far.
    const known = outcome === "REPLAYED" ? 1 : 0;
    if (outcome !== "FORGOTTEN") expect({ ...context, known }).toEqual({ ...context, known: before });
    intent.end = outcome === "FORGOTTEN" ? position : null;
    if (position !== null) this.#seen.push(position);
    if (outcome === "OK") expect([context, isAfter(String(position), seen)]).toEqual([context, true]);
  }

  async take(step: Step): Promise<void> {
    const calls = this.#calls;
    switch (step.kind) {
      case "begin": {
        const seen = this.#seen.at(-1 - (step.old % this.#seen.length)) ?? "0-0";
        const key = `k${this.#intents.length}`;
        this.#intents.push({ operation: step.operation, id: step.id, key, seen, attempts: 0, end: null });
        break;
      }
      case "deliver": {
        const intent = this.#intents[step.which % this.#intents.length];
        if (intent !== undefined) await this.#deliver(intent);
        break;
      }
      case "resend": {
        const intent = this.#intents[step.which % this.#intents.length];
        if (intent?.end == null || intent.attempts > 1) break;
        intent.seen = intent.end;
        await this.#deliver(intent);
        break;
      }
      case "others":
        for (let n = 0; n < step.count; n++) {
          const [, , position] = await calls.run(
            "patch",
            step.id,
            "SET",
            "n",
            n,
            ...op(`x${this.#count++}`, await calls.end()),
          );
          if (position !== null) this.#seen.push(position);
        }
        break;
      case "recreate":
        await calls.run("remove", step.id);
        await calls.run("create", step.id);
        break;
      case "clock":
        await this.#server?.step(step.ms);
        break;
      case "save":
        await this.save();
        break;
      default:
        await this.#failOver();
    }
  }
}

function isAfter(a: string, b: string): boolean {
  const [aMs = 0, aSequence = 0] = a.split("-").map(Number);
  const [bMs = 0, bSequence = 0] = b.split("-").map(Number);
  return aMs > bMs || (aMs === bMs && aSequence > bSequence);
}

it("makes a change at most once over copies, removals, failovers that lose changes and steps of the clock", async () => {
  const server = await steppedServer(); // without a C compiler the clock stays as it is
  const property = fc.asyncProperty(
    fc.array(steps, { minLength: 20, maxLength: 80, size: "max" }),
    async (sequence) => {
      const calls = server === undefined ? await machine(parcel) : new Calls(server.valkey, "parcel");
      await calls.apply({ ...parcel, version: 2, events: { keep: 100_000 } });
      const run = new Run(calls, server);
      await run.save();
      for (const step of sequence) await run.take(step);
    },
  );
  await fc.assert(property, { numRuns: 100 });
});
