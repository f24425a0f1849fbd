// The agent of the peers that have no state machine of their own: a JSON value, an index of all agents, and a channel.

const FROM = { running: ["spawning"], completed: ["running"], killed: ["spawning", "running"] };
const ORDINALS = { spawning: 0, running: 1, completed: 2, killed: 3 };

/** Returns the names of the keys and of the channel of a side. */
export function keysOf(prefix) {
  return { agent: (id) => `${prefix}:agent:${id}`, index: `${prefix}:index`, channel: `${prefix}:events` };
}

/** Returns a new agent. */
export function spawn(id) {
  return { id, taskId: "t-1234567", state: "spawning", version: 1, since: Date.now(), fields: {} };
}

/** Returns the agent after a transition; undefined if the transition is illegal. */
export function move(agent, state) {
  if (!FROM[state].includes(agent?.state)) return undefined;
  const now = Date.now();
  const stamp = state === "running" ? "startedAt" : "completedAt";
  return { ...agent, state, version: agent.version + 1, since: now, [stamp]: now };
}

/** Returns the agent with another value in its fields; undefined if there is no agent. */
export function patch(agent, field, value) {
  if (agent === undefined) return undefined;
  return { ...agent, version: agent.version + 1, fields: { ...agent.fields, [field]: value } };
}

/** Returns the score of an agent in the index, which orders by state, then by time. */
export function scoreOf({ state, since }) {
  return ORDINALS[state] * 1e13 + since;
}

/** Returns the text of an event. `change` names what happened: a state, or `field=value`. */
export function eventOf({ id, taskId, state, version }, change) {
  return JSON.stringify({ id, taskId, state, version, change });
}

/** Calls `listener` with the agent and the change of each message of a channel. */
export async function followChannel(client, channel, listener) {
  client.on("error", () => {});
  client.on("message", (_, text) => {
    const { id, change } = JSON.parse(text);
    listener(id, change);
  });
  await client.subscribe(channel);
  return { close: () => client.disconnect() };
}

/**
 * Makes the changes of a side that reads an agent, computes the new one, and stores it.
 *
 * @param change stores what a function makes of the agent; undefined of it changes nothing
 */
export function changesBy(change) {
  return {
    create: (id) => change(id, "created", (agent) => (agent === undefined ? spawn(id) : undefined)),
    run: async (id) => ((await change(id, "running", (agent) => move(agent, "running"))) ? id : null),
    patch: (id, field, value) => change(id, `${field}=${value}`, (agent) => patch(agent, field, value)),
    complete: (id) => change(id, "completed", (agent) => move(agent, "completed")),
    kill: (id) => change(id, "killed", (agent) => move(agent, "killed")),
  };
}
