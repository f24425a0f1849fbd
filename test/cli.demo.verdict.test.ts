import { describe, expect, test } from "vitest";
import type { Ending, Evidence } from "../src/cli/demo/evidence.js";
import type { Call } from "../src/cli/demo/messages.js";
import { judge } from "../src/cli/demo/verdict.js";
import { agent, compileMachine } from "../src/index.js";

type Document = Record<string, unknown> & { id: string; state: string; version: number; op: string };
type ReplicaCall = Call & { replica: string };

/** A race of two replicas over two agents, as it should be: a1 completes, a2 is killed. Parts can be spoilt. */
interface Race {
  documents: Document[];
  published: Document[];
  finals: Map<string, Record<string, unknown> | null>;
  counts: Record<string, number>;
  calls: ReplicaCall[];
  endings: Map<string, Ending>;
}

const PIDS: Record<string, number> = { a1: 101, a2: 102 };

function goodRace(): Race {
  const documents = ["a1", "a2"].flatMap((id) => historyOf(id, id === "a1" ? "completed" : "killed"));
  const calls = documents.flatMap(({ id, state, version, op }) =>
    ["r1", "r2"].map((replica) => {
      const outcome = op.startsWith(replica) ? "OK" : version === 1 ? "EXISTS" : "ILLEGAL";
      return { replica, id, to: state, outcome, version, state, ms: 1 };
    }),
  );
  const finals = new Map(
    ["a1", "a2"].map((id) => {
      const last = Object.entries(at(documents, id, 3));
      const gone = ["type", "from", "op", "actor", "reason"];
      return [id, Object.fromEntries(last.filter(([field]) => !gone.includes(field)))];
    }),
  );
  const endings = new Map<string, Ending>([
    ["a1", { pid: 101, exit: { kind: "code", code: 0, output: "" }, killOrdered: false }],
    ["a2", { pid: 102, exit: { kind: "signal", signal: "SIGTERM" }, killOrdered: true }],
  ]);
  const counts = { spawning: 0, running: 0, completed: 1, failed: 0, killed: 1 };
  return { documents, published: structuredClone(documents), finals, counts, calls, endings };
}

function historyOf(id: string, end: string): Document[] {
  return ["spawning", "running", end].map((state, at) => ({
    type: `agent.${state}`,
    machine: "agent",
    id,
    from: [null, "spawning", "running"][at],
    state,
    version: at + 1,
    timestamp: `2026-11-22T10:00:0${at}.000Z`,
    actor: state === "killed" ? "operator" : "r1",
    ...(state === "killed" && { reason: "SIGTERM: stuck" }),
    op: `${at === 1 ? "r2" : "r1"}:${state}`,
    ...(at > 0 && { pid: PIDS[id] }),
  }));
}

function evidenceOf({ documents, published, ...seen }: Race): Evidence {
  const texts = (list: Document[]): string[] => list.map((document) => JSON.stringify(document));
  const machine = compileMachine(agent());
  const finals = seen.finals as Evidence["finals"];
  return { ...seen, finals, machine, replicas: 2, log: texts(documents), published: texts(published) };
}

/** The checks that fail, each with its first fault. */
function faultsAfter(spoil: (race: Race) => void): Record<string, string | undefined> {
  const race = goodRace();
  spoil(race);
  const failed = judge(evidenceOf(race)).filter(({ faults }) => faults.length > 0);
  return Object.fromEntries(failed.map(({ name, faults }) => [name, faults[0]]));
}

/** The document of an agent's version in a list. */
function at(list: Document[], id: string, version: number): Document {
  const found = list.find((one) => one.id === id && one.version === version);
  if (found === undefined) throw new Error(`no ${id} version ${version}`);
  return found;
}

/** Changes a document wherever it is told: logged, published and, where it is the last one, final. */
function everywhere(race: Race, id: string, version: number, change: Record<string, unknown>): void {
  Object.assign(at(race.documents, id, version), change);
  Object.assign(at(race.published, id, version), change);
}

function call(race: Race, replica: string, id: string, to: string): ReplicaCall {
  const found = race.calls.find((one) => one.replica === replica && one.id === id && one.to === to);
  if (found === undefined) throw new Error(`no call of ${replica} for ${id} to ${to}`);
  return found;
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}

describe("the verdict of the demo", () => {
  test("finds no fault in a race as it should be", () => {
    expect(faultsAfter(() => {})).toEqual({});
    expect(judge(evidenceOf(goodRace())).map(({ text }) => text)).toContain(
      "each transition was won once: 6 changes logged, 6 wins counted",
    );
  });

  const planted: [title: string, spoil: (race: Race) => void, faults: Record<string, string>][] = [
    [
      "two replicas that both win a version",
      (race) => Object.assign(call(race, "r2", "a1", "completed"), { outcome: "OK" }),
      { "won-once": "a1 to completed was won by r1 and r2" },
    ],
    [
      "a transition that is done twice, with a version each",
      (race) => {
        const again = { ...at(race.documents, "a1", 2), version: 3, op: "r1:running", from: "running" };
        at(race.documents, "a1", 3).version = 4;
        at(race.published, "a1", 3).version = 4;
        race.documents.splice(2, 0, again);
        race.published.splice(2, 0, again);
        Object.assign(race.finals.get("a1") ?? {}, { version: 4 });
        Object.assign(call(race, "r1", "a1", "running"), { outcome: "OK", version: 3 });
        for (const replica of ["r1", "r2"])
          Object.assign(call(race, replica, "a1", "completed"), { version: 4 });
      },
      {
        "won-once": "a1 to running was won by r1 and r2",
        legal: "a1 version 3 goes from running to running, which is no transition",
      },
    ],
    [
      "a change that is in the log twice",
      (race) => race.documents.push(at(race.documents, "a2", 3)),
      {
        "won-once": "a2 version 3 is in the log 2 times",
        contiguous: "a2 has version 3 where 4 is due",
        legal: "a2 version 3 comes from running, not killed",
        published: "a2 has 4 changes in the log, 3 were published",
      },
    ],
    [
      "a change in the log that nobody won",
      (race) => Object.assign(call(race, "r2", "a1", "running"), { outcome: "ILLEGAL" }),
      {
        "won-once": "a1 version 2 is in the log, but no replica won it",
        "losers-told": "a1 to running was won by nobody",
      },
    ],
    [
      "a win that the log gives to another replica",
      (race) => everywhere(race, "a1", 2, { op: "r1:running" }),
      { "won-once": "r2 won a1 version 2, where the log has the op r1:running" },
    ],
    [
      "a change that is lost from the log",
      (race) => remove(race.documents, at(race.documents, "a1", 3)),
      {
        "won-once": "r1 won a1 version 3, which is not in the log",
        "losers-told": "r2 was told that a1 version 3 is completed, which the log does not confirm",
        contiguous: "a1 ends as running, which is not final",
        published: "a1 has 2 changes in the log, 3 were published",
        finals: "a1 is completed, version 3; its last change says running, version 2, or other fields",
        exits: "a1 ended with exit code 0; recorded is running, by r1",
      },
    ],
    [
      "an agent that is lost altogether",
      (race) => {
        for (const list of [race.documents, race.published, race.calls]) {
          list.splice(0, list.length, ...(list.filter(({ id }) => id !== "a2") as never[]));
        }
        race.finals.set("a2", null);
        race.counts = { completed: 1 };
      },
      {
        contiguous: "a2 is not in the log",
        finals: "a2 is in the log, but not on the server",
        exits: "a2 ended with SIGTERM; recorded is nothing",
      },
    ],
    [
      "a gap in the versions",
      (race) => {
        everywhere(race, "a1", 3, { version: 4 });
        Object.assign(race.finals.get("a1") ?? {}, { version: 4 });
        for (const replica of ["r1", "r2"])
          Object.assign(call(race, replica, "a1", "completed"), { version: 4 });
      },
      { contiguous: "a1 has version 4 where 3 is due" },
    ],
    [
      "a time that runs back",
      (race) => everywhere(race, "a1", 2, { timestamp: "2026-11-22T09:59:59.999Z" }),
      { contiguous: "a1 version 2 is before its predecessor" },
    ],
    [
      "an edge that the machine does not have",
      (race) => {
        everywhere(race, "a1", 3, { from: "spawning" });
        for (const list of [race.documents, race.published]) {
          remove(list, at(list, "a1", 2));
          at(list, "a1", 3).version = 2;
        }
        Object.assign(race.finals.get("a1") ?? {}, { version: 2 });
        race.calls = race.calls.filter(({ id, to }) => !(id === "a1" && to === "running"));
        for (const replica of ["r1", "r2"])
          Object.assign(call(race, replica, "a1", "completed"), { version: 2 });
      },
      { legal: "a1 version 2 goes from spawning to completed, which is no transition" },
    ],
    [
      "a change that is not published",
      (race) => remove(race.published, at(race.published, "a2", 2)),
      { published: "a2 has 3 changes in the log, 2 were published" },
    ],
    [
      "changes that are published in another order",
      (race) => race.published.splice(0, 2, at(race.published, "a1", 2), at(race.published, "a1", 1)),
      { published: "a1 was published otherwise than it is logged" },
    ],
    [
      "a published document that differs in a byte",
      (race) => Object.assign(at(race.published, "a1", 2), { pid: 100 }),
      { published: "a1 was published otherwise than it is logged" },
    ],
    [
      "a hash that holds another state than the last change",
      (race) => Object.assign(race.finals.get("a1") ?? {}, { state: "running" }),
      {
        finals: "a1 is running, version 3; its last change says completed, version 3, or other fields",
        index: "the index counts 0 as running, 1 are",
      },
    ],
    [
      "a hash that holds another field than the last change",
      (race) => Object.assign(race.finals.get("a1") ?? {}, { note: "x" }),
      { finals: "a1 is completed, version 3; its last change says completed, version 3, or other fields" },
    ],
    [
      "a hash whose change is not in the log",
      (race) => race.finals.set("a3", { id: "a3", state: "killed", version: 1 }),
      { finals: "a3 is on the server, but not in the log", index: "the index counts 1 as killed, 2 are" },
    ],
    [
      "an index that counts an agent twice",
      (race) => Object.assign(race.counts, { running: 1 }),
      { index: "the index counts 1 as running, 0 are" },
    ],
    [
      "a loser that was told a state that never was",
      (race) => Object.assign(call(race, "r2", "a1", "completed"), { state: "killed" }),
      { "losers-told": "r2 was told that a1 version 3 is killed, which the log does not confirm" },
    ],
    [
      "a refusal that is none of a lost race",
      (race) => Object.assign(call(race, "r2", "a1", "completed"), { outcome: "NOTFOUND" }),
      { "losers-told": "r2 was refused with NOTFOUND for a1 to completed" },
    ],
    [
      "a transition that a replica did not try",
      (race) => remove(race.calls, call(race, "r2", "a1", "completed")),
      { "losers-told": "a1 to completed was tried 1 times, by 1 of 2 replicas" },
    ],
    [
      "a process that failed, recorded as completed",
      (race) =>
        race.endings.set("a1", { pid: 101, exit: { kind: "code", code: 3, output: "" }, killOrdered: false }),
      { exits: "a1 ended with exit code 3; recorded is completed, by r1" },
    ],
    [
      "a process that was killed by nobody's order, recorded as the operator's",
      (race) =>
        race.endings.set("a2", { pid: 102, exit: { kind: "signal", signal: "SIGTERM" }, killOrdered: false }),
      { exits: "a2 ended with SIGTERM; recorded is killed, by operator, SIGTERM: stuck" },
    ],
    [
      "a process that finished, recorded as killed",
      (race) =>
        race.endings.set("a2", { pid: 102, exit: { kind: "code", code: 0, output: "" }, killOrdered: true }),
      { exits: "a2 ended with exit code 0; recorded is killed, by operator, SIGTERM: stuck" },
    ],
    [
      "another process than the recorded one",
      (race) =>
        race.endings.set("a1", { pid: 7, exit: { kind: "code", code: 0, output: "" }, killOrdered: false }),
      { exits: "a1 was process 7; recorded is 101" },
    ],
  ];

  test.each(planted)("finds %s", (_, spoil, faults) => {
    expect(faultsAfter(spoil)).toEqual(faults);
  });
});
