import { describe, expect, it } from "vitest";
import { AgentLifecycle, agent, ContractError, type Entities, type Latchkey } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { kindOf } from "../../src/machine/json-value.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejectionOf } from "../helpers/client.js";

type Ours = Entities<AgentState>;
type Call = (ours: Ours, latchkey: Latchkey) => unknown;

// Passes invalid types to the compiler, as JavaScript can.
const any = (value: unknown) => value as never;
const patch = (options: object) => (ours: Ours) => ours.patch("a1", { set: { n: 1 }, ...options });
const circular: Record<string, unknown> = {};
circular.self = circular;
const noObject = (value: unknown) => `), not ${kindOf(value)}`;

const calls: Record<string, [call: Call, text: string]> = {
  "create with options of null": [(ours) => ours.create("a2", {}, any(null)), noObject(null)],
  "create with fields of null": [
    (ours) => ours.create("a2", any(null)),
    "fields must be an object, not null",
  ],
  "create with fields in a list": [
    (ours) => ours.create("a2", any(["x"])),
    "fields must be an object, not an array",
  ],
  "create with set beside the fields": [
    (ours) => ours.create("a2", {}, any({ set: { n: 1 } })),
    'unknown option "set"',
  ],
  "transition with options of null": [(ours) => ours.transition("a1", "running", any(null)), noObject(null)],
  "transition with text for options": [(ours) => ours.transition("a1", "running", any("x")), noObject("x")],
  "transition with force of text": [
    (ours) => ours.transition("a1", "running", { force: any("no"), reason: "r" }),
    'force must be true or false, not "no"',
  ],
  "patch with options of null": [(ours) => ours.patch("a1", any(null)), noObject(null)],
  "patch without options": [(ours) => ours.patch("a1", any(undefined)), "), not undefined"],
  "patch with force": [patch({ force: true }), 'unknown option "force"'],
  "patch with set of null": [patch({ set: null }), "set must be an object, not null"],
  "patch with set in a list": [patch({ set: [1] }), "set must be an object, not an array"],
  "patch with unset of text": [patch({ unset: "abc" }), "unset must be a list of field names, not text"],
  "patch with unset of null": [patch({ unset: null }), "unset must be a list of field names, not null"],
  "patch with an op of null": [patch({ op: null }), "op null must be 1 to 64"],
  "patch with a version as text": [
    patch({ ifVersion: "1" }),
    'ifVersion must be a whole number from 0 to 999999999999999, not "1"',
  ],
  "patch with a version of NaN": [patch({ ifVersion: Number.NaN }), "999999999999999, not NaN"],
  "patch with an op of a bigint": [patch({ op: 1n }), "op 1n must be 1 to 64"],
  "patch with an actor that JSON cannot hold": [
    patch({ actor: circular }),
    "actor must be text, not an object",
  ],
  "patch with an undefined version": [
    patch({ ifVersion: undefined }),
    "ifVersion is undefined; give a value or omit it",
  ],
  "patch with an undefined state": [
    patch({ ifState: undefined }),
    "ifState is undefined; give a value or omit it",
  ],
  "patch with a timeout of null": [patch({ timeout: null }), "timeout: invalid duration null"],
  "patch with a durability of null": [patch({ durability: null }), 'durability must be "memory", "fsync"'],
  "remove with options in a list": [(ours) => ours.remove("a1", any([])), noObject([])],
  "remove with fields": [(ours) => ours.remove("a1", any({ set: { n: 1 } })), 'unknown option "set"'],
  "heartbeat with options of null": [(ours) => ours.heartbeat("a1", any(null)), noObject(null)],
  "hold with options of null": [(ours) => ours.hold("a1", any(null)), noObject(null)],
  "sweep with options of null": [(ours) => ours.sweep(any(null)), noObject(null)],
  "sweep with a signal that is invalid": [
    (ours) => ours.sweep({ signal: any("x") }),
    "signal must be an AbortSignal (of an AbortController, its signal), not text",
  ],
  "sweep with a listener that is invalid": [
    (ours) => ours.sweep({ onStuck: any(5) }),
    "onStuck must be a function, not a number",
  ],
  "sweep with once of text": [
    (ours) => ours.sweep({ once: any("no") }),
    'once must be true or false, not "no"',
  ],
  "list with options of null": [(ours) => all(ours.list(any(null))), noObject(null)],
  "list with a misspelt option": [
    (ours) => all(ours.list(any({ sate: "running" }))),
    'unknown option "sate"; did you mean "state"?',
  ],
  "list with a page's option": [(ours) => all(ours.list(any({ limit: 5 }))), 'unknown option "limit"'],
  "list with stuck of text": [
    (ours) => all(ours.list({ stuck: any("no") })),
    'stuck must be true or false, not "no"',
  ],
  "list with states of null": [
    (ours) => all(ours.list({ state: any(null) })),
    "unknown state null; agent has spawning,",
  ],
  "list with an age that is invalid": [
    (ours) => all(ours.list({ olderThan: any("ten minutes") })),
    'olderThan: invalid duration "ten minutes"',
  ],
  "list with a deadline that is invalid": [
    (ours) => all(ours.list({ dueWithin: any(null) })),
    "dueWithin: invalid duration null",
  ],
  "a page with options of null": [(ours) => ours.listPage(any(null)), noObject(null)],
  "a page with a misspelt option": [(ours) => ours.listPage(any({ curser: "x" })), 'did you mean "cursor"?'],
  "a page with a limit of null": [
    (ours) => ours.listPage({ limit: any(null) }),
    "limit must be a whole number",
  ],
  "events with options of null": [(ours) => ours.events(any(null)), noObject(null)],
  "events with a misspelt option": [
    (ours) => ours.events(any({ afte: "start" })),
    'unknown option "afte"; did you mean "after"?',
  ],
  "events with follow of text": [
    (ours) => ours.events({ follow: any("no") }),
    "follow must be true or false",
  ],
  "events with a signal that is invalid": [
    (ours) => ours.events({ signal: any({}) }),
    "signal must be an AbortSignal",
  ],
  "subscribe without a listener": [
    (ours) => ours.subscribe(any(undefined)),
    "the listener must be a function, not undefined; it is called with each change",
  ],
  "subscribe with options of null": [(ours) => ours.subscribe(() => {}, any(null)), noObject(null)],
  "subscribe with a misspelt option": [
    (ours) => ours.subscribe(() => {}, any({ onMised: () => {} })),
    'unknown option "onMised"; did you mean "onMissed"?',
  ],
  "subscribe with an onMissed that is invalid": [
    (ours) => ours.subscribe(() => {}, { onMissed: any("x") }),
    "onMissed must be a function, not text",
  ],
  "react to an event that is invalid": [
    (ours) => ours.react("r", () => {}, { on: ["order.paid"] }),
    'on: unknown event "order.paid"; agent has agent.spawned, agent.running, agent.completed,',
  ],
  "retry of dead letters that are not a list": [
    (ours) => ours.deadLetters("r").retry(any("0:1-0")),
    "ids must be a list, not text",
  ],
  "drop of dead letters that are not a list": [
    (ours) => ours.deadLetters("r").drop(any(null)),
    "ids must be a list, not null",
  ],
  "apply with options of null": [(_, latchkey) => latchkey.apply(agent(), any(null)), noObject(null)],
  "apply with a misspelt option": [
    (_, latchkey) => latchkey.apply(agent(), any({ dryrun: true })),
    'unknown option "dryrun"; did you mean "dryRun"?',
  ],
  "apply with a dry run of text": [
    (_, latchkey) => latchkey.apply(agent(), { dryRun: any("no") }),
    'dryRun must be true or false, not "no"',
  ],
  "apply with a map that is invalid": [
    (_, latchkey) => latchkey.apply(agent(), { map: any("x") }),
    "map must be an object, not text",
  ],
  "a lifecycle with a misspelt option": [
    (ours) => new AgentLifecycle(ours, any({ onend: () => {} })),
    'unknown option "onend"; did you mean "onEnd"?',
  ],
  "a lifecycle with an onEnd that is invalid": [
    (ours) => new AgentLifecycle(ours, { onEnd: any("x") }),
    "onEnd must be a function, not text",
  ],
};

describe("rejects, without sending anything,", () => {
  for (const [name, [call, text]] of Object.entries(calls)) {
    it(name, async () => {
      const latchkey = await client();
      const ours = await latchkey.machine(agent());
      await ours.create("a1");
      const before = await scriptsRun();
      const called = (async () => call(ours, latchkey))();
      const error = await rejectionOf(ContractError, called);
      expect(error.code).toBe("BADARG");
      expect(error.message).toContain(text);
      expect(await scriptsRun()).toBe(before);
    });
  }

  /** Counts the scripts that the server has run. */
  async function scriptsRun(): Promise<string | undefined> {
    return /^cmdstat_evalsha:calls=\d+/m.exec(String(await (await admin()).info("commandstats")))?.[0];
  }
});

it.each([null, 5, ["0-0"]])("events after %j is rejected, and the error shows a cursor", async (after) => {
  const ours = await (await client()).machine(agent());
  expect(() => ours.events({ after: any(after) })).toThrow(ContractError);
  expect(() => ours.events({ after: any(after) })).toThrow(
    /^after: .* is not a cursor; use "start", "end" or a cursor/,
  );
});

it.each([
  [{ leese: "30s" }, 'leese: unknown option; did you mean "lease"?'],
  [null, "options must be an object, not null"],
])("agent(%j) is rejected", (options, text) => {
  expect(() => agent(any(options))).toThrow(text);
});
