/** A small machine that is right; tests change one thing about it. */
export const job = {
  name: "job",
  version: 3,
  initial: "queued",
  states: {
    queued: {
      to: ["active", "dropped"],
      timeout: { after: "1h", to: "dropped", set: { error: "never started" } },
    },
    active: { stamp: "startedAt", to: ["queued", "done", "dropped"] },
    done: { require: ["result"], retain: "7d" },
    dropped: { event: "job.gone", require: ["error"] },
  },
};

type Part = Record<string, unknown>;

const machine = (change: Part) => ({ ...job, ...change });
const state = (name: string, change: Part) =>
  machine({
    states: { ...job.states, [name]: { ...(job.states as Record<string, Part>)[name], ...change } },
  });
const manyStates = (count: number) =>
  machine({
    initial: "s0",
    states: Object.fromEntries(Array.from({ length: count }, (_, at) => [`s${at}`, {}])),
  });
const circular: Part = {};
circular.self = circular;

/** Definitions that are right. */
export const good: Record<string, unknown> = {
  "a small machine": job,
  "one final state": { name: "m", version: 1, initial: "only", states: { only: {} } },
  "an empty `to`": state("done", { to: [] }),
  "a state that leads to itself": state("active", { to: ["active", "done"] }),
  "two states with the same event": state("done", { event: "job.gone" }),
  "states named like parts of an object": {
    name: "m",
    version: 1,
    initial: "constructor",
    states: { constructor: { to: ["toString"] }, toString: {} },
  },
  "every bound at its highest": machine({
    version: 1_000_000_000,
    history: 1000,
    events: { keep: 10_000_000 },
    retain: "10000d",
  }),
  "every bound at its lowest": machine({ version: 1, history: 1, events: { keep: 1 }, retain: 1 }),
  "a place for the schema": machine({ $schema: "./machine.schema.json" }),
  "64 states": manyStates(64),
  "a state named updated with an event of its own": machine({
    states: { ...job.states, updated: { event: "job.refreshed" } },
  }),
  "64 required fields": state("done", { require: Array.from({ length: 64 }, (_, at) => `f${at}`) }),
  "a required stamp, which a deadline need not set": state("dropped", { require: ["error", "startedAt"] }),
  "any JSON in a deadline's set": state("queued", {
    lease: { for: 1, to: "active", set: { list: [1, [null, { deep: true }]], text: "é\n", _x: -0.5 } },
  }),
};

/** Definitions that are wrong: the problems, each as `path: message`. */
export const bad: Record<string, { definition: unknown; problems: string[]; beyondSchema?: true }> = {
  "no object": { definition: [], problems: [": must be an object, not an array"] },
  "nothing in it": {
    definition: {},
    problems: ["name: is missing", "version: is missing", "initial: is missing", "states: is missing"],
  },
  "a misspelt property": {
    definition: machine({ histroy: 5 }),
    problems: ['histroy: unknown property; did you mean "history"?'],
  },
  "a property like no other": {
    definition: state("active", { colour: "red" }),
    problems: [
      "states.active.colour: unknown property; known are to, event, stamp, require, timeout, lease, retain",
    ],
  },
  "a name with a capital": {
    definition: machine({ name: "Job" }),
    problems: [
      'name: invalid machine name "Job": a lower-case letter, then up to 31 lower-case letters, digits or -',
    ],
  },
  "a version of 0": {
    definition: machine({ version: 0 }),
    problems: ["version: must be a whole number from 1 to 1000000000, not 0"],
  },
  "a version as text": {
    definition: machine({ version: "1" }),
    problems: ['version: must be a whole number from 1 to 1000000000, not "1"'],
  },
  "a history too long": {
    definition: machine({ history: 1001 }),
    problems: ["history: must be a whole number from 1 to 1000, not 1001"],
  },
  "an unlimited log": {
    definition: machine({ events: { keep: 0 } }),
    problems: ["events.keep: must be a whole number from 1 to 10000000, not 0"],
  },
  "a log without its length": { definition: machine({ events: {} }), problems: ["events.keep: is missing"] },
  "a schema that is no text": {
    definition: machine({ $schema: 1 }),
    problems: ["$schema: must be text, not a number"],
  },
  "an unknown initial state": {
    definition: machine({ initial: "qeued" }),
    problems: ['initial: unknown state "qeued"; did you mean "queued"?'],
    beyondSchema: true,
  },
  "no states": { definition: machine({ states: {} }), problems: ["states: must hold 1 to 64 states, not 0"] },
  "65 states": { definition: manyStates(65), problems: ["states: must hold 1 to 64 states, not 65"] },
  "states in a list": {
    definition: machine({ states: ["queued"] }),
    problems: ["states: must be an object, not an array"],
  },
  "a state name with a space": {
    definition: machine({ states: { ...job.states, "on hold": {} } }),
    problems: [
      'states["on hold"]: invalid state name "on hold": a lower-case letter, then up to 31 letters, digits, _ or -',
    ],
  },
  "a state that is null, as an empty one in YAML is": {
    definition: machine({ states: { ...job.states, done: null } }),
    problems: ["states.done: must be an object, not null"],
  },
  "a misspelt target": {
    definition: state("active", { to: ["done", "dorpped"] }),
    problems: ['states.active.to[1]: unknown state "dorpped"; did you mean "dropped"?'],
    beyondSchema: true,
  },
  "a target unlike any state": {
    definition: state("active", { to: ["elsewhere"] }),
    problems: ['states.active.to[0]: unknown state "elsewhere"'],
    beyondSchema: true,
  },
  "a target that is inherited": {
    definition: state("active", { to: ["toString"] }),
    problems: ['states.active.to[0]: unknown state "toString"'],
    beyondSchema: true,
  },
  "a target listed twice": {
    definition: state("active", { to: ["done", "done"] }),
    problems: ['states.active.to[1]: "done" is listed twice'],
  },
  "targets as text": {
    definition: state("active", { to: "done" }),
    problems: ["states.active.to: must be an array, not text"],
  },
  "a target that is a number": {
    definition: state("active", { to: [1] }),
    problems: ["states.active.to[0]: unknown state 1"],
  },
  "an event name with a space": {
    definition: state("done", { event: "job done" }),
    problems: [
      'states.done.event: invalid event name "job done": a lower-case letter, then up to 95 letters, digits, ., _ or -',
    ],
  },
  "a state whose event is that of a removal by its name": {
    definition: machine({ states: { ...job.states, removed: {} } }),
    problems: [
      'states.removed.event: "job.removed" is the event of every removal; choose another event for this state',
    ],
    beyondSchema: true,
  },
  "a state whose event is that of a patch": {
    definition: state("done", { event: "job.updated" }),
    problems: [
      'states.done.event: "job.updated" is the event of every patch; choose another event for this state',
    ],
    beyondSchema: true,
  },
  "a stamp of a reserved name": {
    definition: state("done", { stamp: "createdAt" }),
    problems: ['states.done.stamp: "createdAt" is reserved by latchkey; choose another field name'],
  },
  "a required field listed twice": {
    definition: state("done", { require: ["a", "b", "a"] }),
    problems: ['states.done.require[2]: "a" is listed twice'],
  },
  "65 required fields": {
    definition: state("done", { require: Array.from({ length: 65 }, (_, at) => `f${at}`) }),
    problems: ["states.done.require: has 65 entries, at most 64 are possible"],
  },
  "a required field of no valid name": {
    definition: state("done", { require: ["exit-code"] }),
    problems: [
      'states.done.require[0]: invalid field name "exit-code": a letter or _, then up to 63 letters, digits or _',
    ],
  },
  "a duration of an unknown unit": {
    definition: machine({ retain: "2w" }),
    problems: [
      'retain: invalid duration "2w"; write "500ms", "30s", "5m", "12h", "7d" or whole milliseconds',
    ],
  },
  "a duration of 0": {
    definition: state("done", { retain: 0 }),
    problems: ["states.done.retain: invalid duration 0: it must be at least 1 ms"],
  },
  "a duration beyond 10000 days": {
    definition: state("done", { retain: "10001d" }),
    problems: ['states.done.retain: invalid duration "10001d": it must be at most 10000d'],
    beyondSchema: true,
  },
  "retention of a state that is not final": {
    definition: state("active", { retain: "1d" }),
    problems: ["states.active.retain: only a final state (one without `to`) is removed after a time"],
  },
  "a timeout of a final state": {
    definition: state("done", { timeout: { after: "1s", to: "queued" } }),
    problems: ["states.done.timeout: a final state (one without `to`) cannot time out"],
  },
  "a lease of a final state": {
    definition: state("done", { lease: { for: "1s", to: "queued" } }),
    problems: ["states.done.lease: a final state (one without `to`) cannot time out"],
  },
  "a timeout to no state": {
    definition: state("active", { timeout: { after: "1s", to: "don" } }),
    problems: ['states.active.timeout.to: unknown state "don"; did you mean "done"?'],
    beyondSchema: true,
  },
  "a lease past the table": {
    definition: state("queued", { lease: { for: "1s", to: "done", set: { result: 1 } } }),
    problems: ['states.queued.lease.to: "done" is not among the state\'s own `to`: "active", "dropped"'],
    beyondSchema: true,
  },
  "a timeout without its parts": {
    definition: state("active", { timeout: {} }),
    problems: ["states.active.timeout.after: is missing", "states.active.timeout.to: is missing"],
  },
  "a lease with a timeout's property": {
    definition: state("active", { lease: { after: "1s", to: "queued" } }),
    problems: [
      "states.active.lease.after: unknown property; known are for, to, set",
      "states.active.lease.for: is missing",
    ],
  },
  "a timeout as text": {
    definition: state("active", { timeout: "5m" }),
    problems: ["states.active.timeout: must be an object, not text"],
  },
  "a set that is no object": {
    definition: state("active", { lease: { for: 1, to: "dropped", set: "error" } }),
    problems: ["states.active.lease.set: must be an object, not text"],
  },
  "a log's length by itself": {
    definition: machine({ events: 5 }),
    problems: ["events: must be an object, not a number"],
  },
  "a deadline that sets nothing of what its target requires": {
    definition: state("active", { lease: { for: "1s", to: "dropped" } }),
    problems: ['states.active.lease.set: must contain "error", which "dropped" requires'],
    beyondSchema: true,
  },
  "a deadline that sets something else than its target requires": {
    definition: state("active", { lease: { for: "1s", to: "dropped", set: { fault: "x" } } }),
    problems: ['states.active.lease.set: must contain "error", which "dropped" requires'],
    beyondSchema: true,
  },
  "a deadline that sets a reserved field": {
    definition: state("active", { lease: { for: "1s", to: "queued", set: { reason: "x" } } }),
    problems: ['states.active.lease.set.reason: "reason" is reserved by latchkey; choose another field name'],
  },
  "65 fields in a set": {
    definition: state("active", {
      lease: {
        for: 1,
        to: "queued",
        set: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`f${at}`, at])),
      },
    }),
    problems: ["states.active.lease.set: has 65 fields, at most 64 are possible"],
  },
  "a deadline that sets a stamp": {
    definition: state("active", { lease: { for: 1, to: "queued", set: { startedAt: "now" } } }),
    problems: ["states.active.lease.set.startedAt: is a stamp, which only the server sets"],
    beyondSchema: true,
  },
  "more than 64 KiB when compiled": {
    definition: state("active", { lease: { for: 1, to: "queued", set: { text: "é".repeat(33_000) } } }),
    problems: [": is 66489 bytes of JSON when compiled, at most 65536 are allowed"],
    beyondSchema: true,
  },
};

/** Wrong definitions that no file can hold, since JSON cannot. */
export const unspeakable: Record<string, { definition: unknown; problem: string }> = {
  "a number that is none": {
    definition: state("active", { lease: { for: 1, to: "queued", set: { n: [Number.NaN] } } }),
    problem: "states.active.lease.set.n[0]: NaN is not a JSON number",
  },
  "a date": {
    definition: state("active", { lease: { for: 1, to: "queued", set: { when: new Date(0) } } }),
    problem: "states.active.lease.set.when: a class instance is not a JSON value",
  },
  undefined: {
    definition: state("active", { lease: { for: 1, to: "queued", set: { x: undefined } } }),
    problem: "states.active.lease.set.x: undefined is not a JSON value",
  },
  "a value that holds itself": {
    definition: state("active", { lease: { for: 1, to: "queued", set: { circular } } }),
    problem: "states.active.lease.set.circular.self: is nested too deeply or circular",
  },
  "half a surrogate pair in a key": {
    definition: state("active", { lease: { for: 1, to: "queued", set: { x: { "\ud800": 1 } } } }),
    problem: "states.active.lease.set.x: has a key with half of a surrogate pair",
  },
  "half a surrogate pair": {
    definition: state("active", { lease: { for: 1, to: "queued", set: { x: "\ud800" } } }),
    problem: "states.active.lease.set.x: contains half of a surrogate pair",
  },
};
