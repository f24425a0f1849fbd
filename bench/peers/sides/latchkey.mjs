// latchkey: each change is one script; the listener reads the event log; expired leases of dead owners are swept.
import { agent, connect, NotExecutedError } from "../../../dist/index.js";
import { LEASE_MS } from "../lease.mjs";

export const name = "latchkey";
/** A dead owner loses its agents after some time. */
export const recovers = true;

export async function open({ url, hasLeases }) {
  const home = await connect({
    url: url.replace(/^redis:/, "valkey:"),
    namespace: hasLeases ? "leased" : "peers",
  });
  const machine = hasLeases ? agent({ version: 2, lease: `${LEASE_MS}ms` }) : agent();
  const agents = await home.machine(machine);
  const stop = new AbortController();
  if (hasLeases) agents.sweep({ signal: stop.signal }).catch(() => {});
  const move = async (id, state) => (await agents.tryTransition(id, state)).ok;
  return {
    create: (id) => agents.create(id, { taskId: "t-1234567" }),
    run: async (id) => ((await move(id, "running")) ? id : null),
    patch: async (id, field, value) => (await agents.tryPatch(id, { set: { [field]: value } })).ok,
    complete: (id) => move(id, "completed"),
    kill: (id) => move(id, "killed"),
    /** Returns true if a call that failed may be repeated: the client retries by itself. */
    mayRepeat: (error) => error instanceof NotExecutedError,
    async read(id) {
      const entity = await agents.get(id);
      return entity && { state: entity.state, fields: entity };
    },
    async listen(listener) {
      const done = follow(agents, stop.signal, listener);
      return {
        close() {
          stop.abort();
          return done;
        },
      };
    },
    async close() {
      stop.abort();
      await home.close();
    },
  };
}

async function follow(agents, signal, listener) {
  const fields = new Map();
  for await (const change of agents.events({ after: "start", signal })) {
    const { id, type, from, state } = change;
    if (type !== "agent.updated") {
      if (from !== null) listener(id, state);
      continue;
    }
    // The document holds all fields; the new ones are the change.
    const known = fields.get(id) ?? fields.set(id, new Set()).get(id);
    for (const [field, value] of Object.entries(change)) {
      if (!field.startsWith("note") || known.has(field)) continue;
      known.add(field);
      listener(id, `${field}=${value}`);
    }
  }
}
