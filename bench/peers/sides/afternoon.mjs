// Scripts that an expert would write in an afternoon: those of bench/script-cost, with the states of an agent.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Valkey } from "iovalkey";
import { keysOf } from "../agent.mjs";

export const name = "afternoon Lua";

const STATES = `local STATES = {
  spawning = { ordinal = 0, to = { running = true, killed = true } },
  running = { ordinal = 1, to = { completed = true, killed = true } },
  completed = { ordinal = 2, to = {} }, killed = { ordinal = 3, to = {} } }`;

function script(operation) {
  const file = new URL(`../../script-cost/afternoon/${operation}.lua`, import.meta.url);
  const text = readFileSync(file, "utf8").replace(/^local STATES = .*$/m, STATES);
  return text.replaceAll("'idle'", "'spawning'").replaceAll("job", "agent");
}

export async function open({ url }) {
  const keys = keysOf("afternoon");
  const client = new Valkey(url);
  client.on("error", () => {});
  for (const operation of ["create", "transition", "patch"])
    client.defineCommand(`${operation}Agent`, { numberOfKeys: 3, lua: script(operation) });
  const call = async (operation, id, ...args) => {
    const [outcome] = await client[`${operation}Agent`](
      keys.agent(id),
      keys.index,
      "afternoon:log",
      id,
      ...args,
    );
    return outcome === "OK" || outcome === "REPLAYED";
  };
  const move = (id, state, op = randomUUID()) => call("transition", id, state, "", op, "replica");
  return {
    create: (id, op = randomUUID()) => call("create", id, op, "replica", "taskId", '"t-1234567"'),
    run: async (id, op) => ((await move(id, "running", op)) ? id : null),
    patch: (id, field, value, op = randomUUID()) => call("patch", id, "", op, "replica", field, value),
    complete: (id, op) => move(id, "completed", op),
    kill: (id, op) => move(id, "killed", op),
    async read(id) {
      const fields = await client.hgetall(keys.agent(id));
      return { state: fields.state, fields };
    },
    async listen(listener) {
      const reader = new Valkey(url);
      reader.on("error", () => {});
      follow(reader, listener).catch(() => {});
      return { close: () => reader.disconnect() };
    },
    close: () => client.disconnect(),
  };
}

/** Reads the log until the reader is closed, and goes on at the last position after a lost connection. */
async function follow(reader, listener) {
  let last = "0-0";
  while (reader.status !== "end") {
    const [[, entries]] = (await reader
      .xread("BLOCK", 1000, "STREAMS", "afternoon:log", last)
      .catch(() => null)) ?? [[]];
    for (const [position, [, text]] of entries ?? []) {
      last = position;
      const { id, from, state, fields } = JSON.parse(text);
      const [field] = Object.entries(fields ?? {});
      if (field !== undefined) listener(id, field.join("="));
      else if (from !== undefined) listener(id, state);
    }
  }
}
