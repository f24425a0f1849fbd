import { describe, expect, test } from "vitest";
import { judge } from "../../demo/verdict.js";
import {
  at,
  BY_LEASE,
  call,
  everywhere,
  evidenceOf,
  goodRace,
  type Race,
  remove,
} from "../helpers/demo-race.js";

/** Returns the checks that fail, each with its first fault. */
function faultsAfter(spoil: (race: Race) => void): Record<string, string | undefined> {
  const race = goodRace();
  spoil(race);
  const failed = judge(evidenceOf(race)).filter(({ faults }) => faults.length > 0);
  return Object.fromEntries(failed.map(({ name, faults }) => [name, faults[0]]));
}

describe("the verdict of the demo", () => {
  test("finds no fault in a correct race", () => {
    expect(faultsAfter(() => {})).toEqual({});
    expect(judge(evidenceOf(goodRace())).map(({ text }) => text)).toContain(
      "each transition won once: 9 changes, 9 wins",
    );
  });

  test("accepts a win that the killed replica could not report, from the log", () => {
    const race = goodRace();
    remove(race.calls, call(race, "r3", "a3", "running"));
    const checks = judge(evidenceOf(race));
    expect(checks.flatMap(({ faults }) => faults)).toEqual([]);
    expect(checks[0]?.text).toBe("each transition won once: 9 changes, 8 wins, 1 unreported by r3");
  });

  test("accepts that the last messages of a killed server are lost, but not another order", () => {
    const race = goodRace();
    remove(race.published, at(race.published, "a1", 3));
    const published = (exposed: string[]) =>
      judge({ ...evidenceOf(race), exposed: new Set(exposed) }).find(({ name }) => name === "published");
    expect(published([])?.faults).toEqual(["a1 has 3 changes in the log, 2 were published"]);
    expect(published(["a1"])).toMatchObject({
      faults: [],
      text: expect.stringContaining(", 1 lost in the crash"),
    });
    race.published.reverse();
    expect(published(["a1"])?.faults).toContain("a1 has 3 changes in the log, 2 were published");
  });

  const planted: [title: string, spoil: (race: Race) => void, faults: Record<string, string>][] = [
    [
      "two replicas that both win a version",
      (race) => Object.assign(call(race, "r2", "a1", "completed"), { outcome: "OK" }),
      { "won-once": "a1 to completed was won by r1 and r2" },
    ],
    [
      "a transition that is made twice, with a version each",
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
        legal: "a1 version 3 goes from running to running, which the machine does not allow",
      },
    ],
    [
      "a change that is in the log twice",
      (race) => race.documents.push(at(race.documents, "a2", 3)),
      {
        "won-once": "a2 version 3 is in the log 2 times",
        contiguous: "a2 has version 3 instead of 4",
        legal: "a2 version 3 comes from running, not killed",
        published: "a2 has 4 changes in the log, 3 were published",
      },
    ],
    [
      "a change in the log that nobody won",
      (race) => Object.assign(call(race, "r2", "a1", "running"), { outcome: "ILLEGAL" }),
      {
        "won-once": "a1 version 2 is in the log, but no replica won it",
        "losers-informed": "a1 to running was won by nobody",
      },
    ],
    [
      "a win that the log gives to another replica",
      (race) => everywhere(race, "a1", 2, { op: "r1:running" }),
      { "won-once": "r2 won a1 version 2, where the log has op: r1:running" },
    ],
    [
      "a change that is lost from the log",
      (race) => remove(race.documents, at(race.documents, "a1", 3)),
      {
        "won-once": "r1 won a1 version 3, which is not in the log",
        "losers-informed": "r2 received completed for a1 version 3, which the log does not confirm",
        contiguous: "a1 ends as running, which is not final",
        published: "a1 has 2 changes in the log, 3 were published",
        finals: "a1 is completed, version 3; its last change has running, version 2, or other fields",
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
        race.counts = { completed: 1, failed: 1 };
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
      { contiguous: "a1 has version 4 instead of 3" },
    ],
    [
      "a time that runs back",
      (race) => everywhere(race, "a1", 2, { timestamp: "2026-11-22T09:59:59.999Z" }),
      { contiguous: "a1 version 2 is earlier than its predecessor" },
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
      { legal: "a1 version 2 goes from spawning to completed, which the machine does not allow" },
    ],
    [
      "a change that is not published",
      (race) => remove(race.published, at(race.published, "a2", 2)),
      { published: "a2 has 3 changes in the log, 2 were published" },
    ],
    [
      "changes that are published in another order",
      (race) => race.published.splice(0, 2, at(race.published, "a1", 2), at(race.published, "a1", 1)),
      { published: "a1 was published differently from the log" },
    ],
    [
      "a published document that differs in a byte",
      (race) => Object.assign(at(race.published, "a1", 2), { pid: 100 }),
      { published: "a1 was published differently from the log" },
    ],
    [
      "a hash that holds another state than the last change",
      (race) => Object.assign(race.finals.get("a1") ?? {}, { state: "running" }),
      {
        finals: "a1 is running, version 3; its last change has completed, version 3, or other fields",
        index: "the index counts 0 as running, 1 are",
      },
    ],
    [
      "a hash that holds another field than the last change",
      (race) => Object.assign(race.finals.get("a1") ?? {}, { note: "x" }),
      { finals: "a1 is completed, version 3; its last change has completed, version 3, or other fields" },
    ],
    [
      "a hash whose change is not in the log",
      (race) => race.finals.set("a4", { id: "a4", state: "killed", version: 1 }),
      { finals: "a4 is on the server, but not in the log", index: "the index counts 1 as killed, 2 are" },
    ],
    [
      "an index that counts an agent twice",
      (race) => Object.assign(race.counts, { running: 1 }),
      { index: "the index counts 1 as running, 0 are" },
    ],
    [
      "a loser that received a state that never existed",
      (race) => Object.assign(call(race, "r2", "a1", "completed"), { state: "killed" }),
      { "losers-informed": "r2 received killed for a1 version 3, which the log does not confirm" },
    ],
    [
      "a rejection for another reason than a lost race",
      (race) => Object.assign(call(race, "r2", "a1", "completed"), { outcome: "NOTFOUND" }),
      { "losers-informed": "r2 was rejected with NOTFOUND for a1 to completed" },
    ],
    [
      "a transition that a replica did not attempt",
      (race) => remove(race.calls, call(race, "r2", "a1", "completed")),
      { "losers-informed": "a1 to completed was attempted 1 times, by 1 of 3 replicas" },
    ],
    [
      "a process that failed, recorded as completed",
      (race) =>
        race.endings.set("a1", { pid: 101, exit: { kind: "code", code: 3, output: "" }, killOrdered: false }),
      { exits: "a1 ended with exit code 3; recorded is completed, by r1" },
    ],
    [
      "a process that nobody ordered to kill, recorded as killed by the operator",
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
    [
      "a rejection of the killed replica that contradicts the log",
      (race) => Object.assign(call(race, "r3", "a3", "running"), { outcome: "ILLEGAL" }),
      {
        "won-once": "a3 version 2 is in the log, but no replica won it",
        "losers-informed": "a3 to running was won by nobody",
      },
    ],
    [
      "an agent of the killed replica whose lease nobody recorded",
      (race) => {
        for (const list of [race.documents, race.published]) remove(list, at(list, "a3", 3));
        Object.assign(race.finals.get("a3") ?? {}, {
          state: "running",
          version: 2,
          timestamp: "2026-11-22T10:00:01.000Z",
        });
        Object.assign(race.counts, { running: 1, failed: 0 });
        race.expiries = [];
      },
      {
        contiguous: "a3 ends as running, which is not final",
        leases: "a3 was left running, and its lease did not expire",
      },
    ],
    [
      "a lease that is recorded twice",
      (race) => {
        for (const list of [race.documents, race.published]) {
          list.push({ ...at(list, "a3", 3), version: 4, from: "failed" });
        }
        Object.assign(race.finals.get("a3") ?? {}, { version: 4 });
        race.expiries.push({ replica: "r2", id: "a3", version: 4 });
      },
      {
        legal: "a3 version 4 goes from failed to failed, which the machine does not allow",
        leases: "a3 was recorded as expired 2 times",
      },
    ],
    [
      "two sweepers that both recorded a lease",
      (race) => race.expiries.push({ replica: "r2", id: "a3", version: 3 }),
      { "won-once": "a3 version 3 was recorded by the sweepers of r1 and r2" },
    ],
    [
      "a change of a sweeper that is not in the log",
      (race) => race.expiries.push({ replica: "r2", id: "a1", version: 4 }),
      { "won-once": "the sweeper of r2 recorded a1 version 4, which the log does not confirm" },
    ],
    [
      "a change of a sweeper that no sweeper reports",
      (race) => race.expiries.splice(0),
      { "won-once": "a3 version 3 is in the log, but no replica won it" },
    ],
    [
      "a killed replica that records its own end",
      (race) => Object.assign(race.expiries[0] ?? {}, { replica: "r3" }),
      { leases: "a3 was recorded by r3 itself" },
    ],
    [
      "a lease that is recorded before it expired",
      (race) => {
        everywhere(race, "a3", 3, { timestamp: "2026-11-22T10:00:01.999Z" });
        Object.assign(race.finals.get("a3") ?? {}, { timestamp: "2026-11-22T10:00:01.999Z" });
      },
      { leases: "a3 was recorded as failed before its lease of 1000 ms had expired" },
    ],
    [
      "an agent of the killed replica that failed for another reason",
      (race) => everywhere(race, "a3", 3, { reason: "timeout of 1s expired" }),
      { leases: "a3 is failed: timeout of 1s expired" },
    ],
    [
      "only a lease that expired although its replica lived",
      (race) => {
        everywhere(race, "a1", 3, { state: "failed", type: "agent.failed", ...BY_LEASE });
        Object.assign(race.finals.get("a1") ?? {}, { state: "failed" });
        Object.assign(race.counts, { completed: 0, failed: 2 });
        for (const replica of ["r1", "r2"]) {
          const outcome = "ILLEGAL";
          Object.assign(call(race, replica, "a1", "completed"), { outcome, state: "failed" });
        }
        race.expiries.push({ replica: "r2", id: "a1", version: 3 });
      },
      {
        leases:
          "a1 lost its lease although its replica lived: this machine is too busy (lease of 1s expired at 2026-11-22T10:00:02.000Z)",
      },
    ],
  ];

  test.each(planted)("finds %s", (_, spoil, faults) => {
    expect(faultsAfter(spoil)).toEqual(faults);
  });
});
