import { expect, it } from "vitest";
import { findWrongs } from "../../bench/peers/check.mjs";

const NONE = {
  unanswered: 0,
  wonTwice: 0,
  lost: 0,
  contradicted: 0,
  stuck: 0,
  missed: 0,
  twice: 0,
  disowned: 0,
};
const final = (state: string, fields: Record<string, string> = {}) => new Map([["a", { state, fields }]]);
const call = (name: string, what: string, answer?: unknown, more: Record<string, string> = {}) => [
  { name, id: "a", what, ...more },
  ...(answer === undefined ? [] : [{ name, answer }]),
];
const events = (...changes: string[]) => changes.map((change) => ({ id: "a", change }));
const note = { field: "note1", value: "v" };

it("finds nothing wrong with an agent that was won, patched and completed once", () => {
  const records = [call("1", "run", "a"), call("2", "run", null), call("3", "patch", true, note)].flat();
  const heard = events("running", "note1=v", "completed");
  const finals = final("completed", { note1: "v" });
  const all = [...records, ...call("4", "complete", true)];
  expect(findWrongs({ records: all, finals, published: heard, received: heard })).toEqual({
    calls: 4,
    ...NONE,
  });
});

it("counts each kind of fault", () => {
  const records = [
    ...[call("1", "run", "a"), call("2", "run", "a"), call("3", "patch", true, note)].flat(),
    ...[call("4", "complete", true), call("5", "kill", true)].flat(),
  ];
  const published = events("running", "note1=v", "note1=v", "completed", "killed");
  const wrongs = findWrongs({ records, finals: final("killed"), published, received: [] });
  expect(wrongs).toEqual({ calls: 5, ...NONE, wonTwice: 2, lost: 2, contradicted: 1, missed: 1, twice: 1 });
});

it("counts an agent that nobody ends, and a change of which every caller got a rejection", () => {
  const records = [call("1", "run", null), call("2", "run", null)].flat();
  const heard = events("running");
  const wrongs = findWrongs({ records, finals: final("running"), published: heard, received: heard });
  expect(wrongs).toEqual({ calls: 2, ...NONE, stuck: 1, disowned: 1 });
});

it("does not count a change as disowned if a call for it has no answer", () => {
  const records = [call("1", "run", null), call("2", "run")].flat();
  const heard = events("running");
  const wrongs = findWrongs({ records, finals: final("running"), published: heard, received: heard });
  expect(wrongs).toEqual({ calls: 2, ...NONE, unanswered: 1, stuck: 1 });
});
