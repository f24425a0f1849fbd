// An XState machine that is restored, moved and stored with a compare-and-set script.
import { Valkey } from "iovalkey";
import { assign, initialTransition, setup, transition } from "xstate";
import { eventOf, followChannel, keysOf, scoreOf } from "../agent.mjs";

export const name = "XState, compare-and-set";

const STORE = `
if redis.call('HGET', KEYS[1], 'version') ~= (ARGV[1] ~= '0' and ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'snapshot', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
redis.call('PUBLISH', KEYS[3], ARGV[5])
return 1`;

const patch = assign(({ context, event }) => ({ fields: { ...context.fields, [event.field]: event.value } }));
const MACHINE = setup({ actions: { patch } }).createMachine({
  initial: "spawning",
  context: { taskId: "t-1234567", fields: {} },
  on: { patch: { actions: "patch" } },
  states: {
    spawning: { on: { running: "running", killed: "killed" } },
    running: { on: { completed: "completed", killed: "killed" } },
    completed: {},
    killed: {},
  },
});

export async function open({ url }) {
  const keys = keysOf("xstate");
  const client = new Valkey(url);
  client.on("error", () => {});
  client.defineCommand("store", { numberOfKeys: 3, lua: STORE });

  async function store(id, version, snapshot, what) {
    const state = snapshot.value;
    const json = JSON.stringify(MACHINE.getPersistedSnapshot(snapshot));
    const event = eventOf({ id, taskId: snapshot.context.taskId, state, version: version + 1 }, what);
    const score = scoreOf({ state, since: Date.now() });
    return client.store(keys.agent(id), keys.index, keys.channel, version, json, score, id, event);
  }

  async function send(id, event, what) {
    for (;;) {
      const [version, json] = await client.hmget(keys.agent(id), "version", "snapshot");
      if (version === null) return false;
      const snapshot = MACHINE.resolveState(JSON.parse(json));
      if (!snapshot.can(event)) return false;
      const [next] = transition(MACHINE, snapshot, event);
      if ((await store(id, Number(version), next, what)) === 1) return true;
    }
  }

  const move = (id, state) => send(id, { type: state }, state);
  return {
    create: async (id) => (await store(id, 0, initialTransition(MACHINE)[0], "created")) === 1,
    run: async (id) => ((await move(id, "running")) ? id : null),
    patch: (id, field, value) => send(id, { type: "patch", field, value }, `${field}=${value}`),
    complete: (id) => move(id, "completed"),
    kill: (id) => move(id, "killed"),
    async read(id) {
      const { value, context } = JSON.parse(await client.hget(keys.agent(id), "snapshot"));
      return { state: value, fields: context.fields };
    },
    listen: (listener) => followChannel(new Valkey(url), keys.channel, listener),
    close: () => client.disconnect(),
  };
}
