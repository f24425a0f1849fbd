import { beforeAll, describe, expect, it } from "vitest";
import { gather } from "../../faults/check/gather.js";
import { linear } from "../../faults/check/linear/linear.js";
import { witness } from "../../faults/check/witness/witness.js";
import type { CallRecord, HistoryRecord, ReturnRecord } from "../../faults/history/records.js";
import { monotonicMs, observationOf } from "../../faults/history/writer.js";
import { Random } from "../../faults/random.js";
import { connect, type Entities, type MachineDefinition, type Snapshot } from "../../src/index.js";
import { connection } from "../helpers/calls.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";
import { MUTATIONS, type MutationScore, mutationScore } from "./mutations/score.js";
import { STATES, TASK } from "./simulation/machine.js";

const CLIENTS = 6;
const CALLS = 60;
const IDS = 5;

const definition: MachineDefinition = {
  ...TASK,
  states: {
    ...TASK.states,
    waiting: { to: TASK.states.waiting.to, timeout: { after: "1h", to: "failed", set: { error: "late" } } },
  },
};

/** Makes one call of one client, and returns its records. */
async function perform(entities: Entities, call: CallRecord): Promise<HistoryRecord[]> {
  const { operation, id, to = "", set = {}, op = "", process, number, seen } = call;
  const fields = set as Record<string, string>;
  const options = { op, ...(seen !== undefined && { seen }) };
  const back = (outcome: ReturnRecord["outcome"], document: Snapshot | null): HistoryRecord[] => {
    const shown = document && { document: observationOf(document) };
    return [call, { kind: "return", process, number, at: monotonicMs(), outcome, ...shown }];
  };
  if (operation === "get") {
    const found = await entities.get(id);
    return back(found === null ? "NOTFOUND" : "OK", found);
  }
  const result = await {
    create: () => entities.tryCreate(id, fields, options),
    transition: () => entities.tryTransition(id, to, { ...options, set: fields }),
    patch: () => entities.tryPatch(id, { ...options, set: fields }),
    remove: () => entities.tryRemove(id, options),
  }[operation]();
  return back(result.outcome, result.ok ? result.document : result.current);
}

/** Makes the calls of one client, from its seed. */
async function work(entities: Entities, name: string, seed: number): Promise<HistoryRecord[]> {
  const random = new Random(seed);
  const records: HistoryRecord[] = [];
  const changes: CallRecord[] = [];
  for (let number = 1; number <= CALLS; number += 1) {
    const roll = random.below(100);
    const id = `t${random.below(IDS)}`;
    const base = { kind: "call", process: name, number, at: monotonicMs(), machine: TASK.name, id } as const;
    const op = `${name}:${number}`;
    const set = random.below(2) === 0 ? { error: `e${number}` } : undefined;
    const seen = await entities.position(id);
    const change = { ...base, op, seen, ...(set && { set }) };
    const old = roll >= 95 && changes.length > 0 ? random.of(changes) : undefined;
    let call: CallRecord = {
      ...change,
      operation: "transition",
      to: random.of([...STATES, "running", "waiting"]),
    };
    if (old !== undefined) call = { ...old, number, at: base.at };
    else if (roll < 20) call = { ...base, operation: "get" };
    else if (roll < 35) call = { ...change, operation: "create" };
    else if (roll < 39) call = { ...base, op, seen, operation: "remove" };
    else if (roll < 55) call = { ...change, set: { n: number }, operation: "patch" };
    records.push(...(await perform(entities, call)));
    if (call.op !== undefined) changes.push(call);
  }
  return records;
}

/** Records a history of several concurrent clients and a follower on a real server. */
async function record(): Promise<HistoryRecord[]> {
  const { url } = await useValkey();
  const namespace = freshNamespace();
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const latchkey = await connect({ url, namespace });
      return { latchkey, entities: await latchkey.machine(definition) };
    }),
  );
  const [first] = clients;
  if (first === undefined) throw new Error("There is no client");
  const { nowMs } = await first.latchkey.serverTime();
  const startedAt = new Date(nowMs).toISOString();
  const worked = await Promise.all(clients.map(({ entities }, at) => work(entities, `client-${at}`, at + 1)));
  const follower = { follower: "follower", machine: TASK.name } as const;
  const followed: HistoryRecord[] = [{ kind: "follow", at: monotonicMs(), after: "start", ...follower }];
  const log = first.entities.events({ after: "start", follow: false });
  for await (const document of log) {
    followed.push({
      kind: "event",
      follower: "follower",
      at: monotonicMs(),
      cursor: log.cursor ?? "",
      document,
    });
  }
  followed.push({ kind: "followed", follower: "follower", at: monotonicMs() });
  const machine = JSON.parse(first.entities.definition.json);
  const run: HistoryRecord = {
    ...{ kind: "run", format: 2, seed: 1, topology: "standalone", command: "test", startedAt },
    ...{ machines: [machine], loss: [] },
  };
  const final = await endState(`{${namespace}:0}:${TASK.name}:`);
  await Promise.all(clients.map(({ latchkey }) => latchkey.close()));
  return [run, ...worked.flat(), ...followed, ...final, { kind: "end", at: monotonicMs() }];
}

async function endState(prefix: string): Promise<HistoryRecord[]> {
  const valkey = await connection();
  const machine = TASK.name;
  const records: HistoryRecord[] = [];
  for (const [entry, [, document = ""]] of await valkey.xrange(`${prefix}events`, "-", "+")) {
    records.push({ kind: "final-event", machine, partition: 0, entry, document });
  }
  for (let at = 0; at < IDS; at += 1) {
    const id = `t${at}`;
    const hash = await valkey.hgetall(`${prefix}id:${id}`);
    if (Object.keys(hash).length > 0) records.push({ kind: "final-entity", machine, id, hash });
    const elements = await valkey.lrange(`${prefix}log:${id}`, 0, -1);
    if (elements.length > 0) records.push({ kind: "final-log", machine, id, elements });
    for (const [kind, key] of [
      ["final-index", "index"],
      ["final-due", "due"],
    ] as const) {
      const score = await valkey.zscore(`${prefix}${key}`, id);
      if (score !== null) records.push({ kind, machine, id, score: Number(score) });
    }
  }
  return records;
}

describe("a history of several clients, recorded from a server", () => {
  let records: HistoryRecord[];
  let scores: MutationScore[];
  beforeAll(async () => {
    records = await record();
    scores = await mutationScore(records, 1, 4);
  });

  it("passes both checkers", async () => {
    const facts = await gather(records);
    expect(witness(facts)).toMatchObject({ calls: CLIENTS * CALLS, violations: [], lost: [] });
    expect(linear(facts)).toMatchObject({ violations: [], undecided: 0 });
  });

  // No outcome is unknown here, so nothing has to be resolved.
  const possible = MUTATIONS.filter(({ name }) => !name.startsWith("resolved"));
  it.each(possible.map(({ name, isVisible }) => ({ name, isVisible })))(
    "does not hide: $name",
    ({ name, isVisible }) => {
      const score = scores.find((one) => one.name === name);
      expect(score).toMatchObject({ witness: score?.injected, byRule: score?.injected });
      if (isVisible) expect(score?.wgl).toBe(score?.injected);
    },
  );
});
