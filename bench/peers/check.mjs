// Counts what a side got wrong in a fault run, from the calls and their answers, the final agents, all events that were
// published, and the events that reached a listener whose connection was cut.

const STATE_AFTER = { run: "running", complete: "completed", kill: "killed" };
const FINAL = ["completed", "killed", "failed"];

/** Returns the calls by agent, each with its answer if it has one. */
function callsById(records) {
  const calls = new Map();
  for (const { name, ...record } of records) calls.set(name, { ...calls.get(name), ...record });
  const byId = new Map();
  for (const call of calls.values()) {
    // A caller that takes the next waiting agent learns from the answer which one it is.
    const id = typeof call.answer === "string" ? call.answer : call.id;
    byId.set(id, [...(byId.get(id) ?? []), call]);
  }
  return byId;
}

/** Returns the changes that events report, in their order, by agent. */
function changesById(events) {
  const byId = new Map();
  for (const { id, change } of events) byId.set(id, [...(byId.get(id) ?? []), change]);
  return byId;
}

const isWon = ({ answer }) => typeof answer === "string" || answer === true;
const isApplied = ({ field, value }, { fields }) => String(fields[field] ?? "") === value;

/** Counts acknowledged changes that the final agent does not have. */
function countLost(calls, final) {
  const isLost = (call) => {
    if (call.what === "patch") return !isApplied(call, final);
    if (call.what === "run") return final.state === "spawning";
    return final.state !== STATE_AFTER[call.what];
  };
  return calls.filter((call) => isWon(call) && isLost(call)).length;
}

/** Returns true if an event reports what never became part of the agent, or if the order of events is wrong. */
function isContradicted({ state, fields }, changes) {
  const patches = changes.filter((change) => change.includes("=")).map((change) => change.split("="));
  if (patches.some(([field, value]) => !isApplied({ field, value }, { fields }))) return true;
  const states = changes.filter(
    (change) => !change.includes("=") && change !== "created" && change !== "spawned",
  );
  if (states.some((reached) => FINAL.includes(reached) && reached !== state)) return true;
  if (state === "spawning") return states.length > 0;
  return states.includes(state) && states.at(-1) !== state;
}

/** Returns the changes that took effect, each with the calls that may have made it. */
function effectsOf(calls, final) {
  const patches = calls.filter((call) => call.what === "patch" && isApplied(call, final));
  const effects = patches.map((call) => ({ change: `${call.field}=${call.value}`, calls: [call] }));
  for (const [step, state] of Object.entries(STATE_AFTER)) {
    const isPassed = step === "run" && final.state === "completed";
    if (final.state === state || isPassed)
      effects.push({ change: state, calls: calls.filter(({ what }) => what === step) });
  }
  return effects;
}

/** Returns true if all calls that may have made a change were rejected. */
const isDisowned = ({ calls }) =>
  calls.length > 0 && calls.every((call) => !isWon(call) && call.answer !== undefined);

/** Returns the number of faults of each kind. */
export function findWrongs({ records, finals, published, received }) {
  const byId = callsById(records);
  const [all, heard] = [changesById(published), changesById(received)];
  const wrongs = {
    calls: 0,
    unanswered: 0,
    wonTwice: 0,
    lost: 0,
    contradicted: 0,
    stuck: 0,
    missed: 0,
    twice: 0,
    disowned: 0,
  };
  for (const [id, final] of finals) {
    const calls = byId.get(id) ?? [];
    const changes = all.get(id) ?? [];
    const wins = (...steps) => calls.filter((call) => steps.includes(call.what) && isWon(call)).length;
    const effects = effectsOf(calls, final);
    const times = ({ field, value }) => changes.filter((change) => change === `${field}=${value}`).length;
    wrongs.calls += calls.length;
    wrongs.unanswered += calls.filter(({ answer }) => answer === undefined).length;
    // An agent that was taken from a dead owner may be won again.
    wrongs.wonTwice += Number(wins("run") > 1 + (final.restarts ?? 0)) + Number(wins("complete", "kill") > 1);
    wrongs.lost += countLost(calls, final);
    wrongs.contradicted += Number(isContradicted(final, changes));
    wrongs.stuck += Number(!FINAL.includes(final.state));
    wrongs.missed += effects.filter(({ change }) => !heard.get(id)?.includes(change)).length;
    wrongs.twice += calls.filter((call) => call.what === "patch" && times(call) > 1).length;
    wrongs.disowned += effects.filter(isDisowned).length;
  }
  return wrongs;
}
