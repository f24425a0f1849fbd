// Measures the bytes that a change adds to the append-only file, and the memory of an entity.
import { Valkey } from "iovalkey";
import { end } from "./sides.mjs";
import { argsOf, idOf, keysOf, threeFields } from "./workload.mjs";

const NAMESPACE = "f";
const ENTITIES = 2000;
const IN_FLIGHT = 200;
const CHANGES = [3, 32];

/**
 * Returns the bytes of a change by operation, and the bytes of an entity by its number of changes. The memory is that of
 * the keys of entities and of the index; the event log is emptied before, and no entity has a timer or is removed.
 */
export async function measureFootprint(startValkey, scripts) {
  const server = await startValkey({
    appendOnly: true,
    args: ["--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"],
  });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  try {
    return await measure(client, scripts);
  } finally {
    client.disconnect();
    await server.stop();
  }
}

async function measure(client, scripts) {
  const load = async ([operation, { text }]) => [operation, await client.script("LOAD", text)];
  const shas = Object.fromEntries(await Promise.all(Object.entries(scripts).map(load)));
  const events = keysOf("create", NAMESPACE, "")[5];
  const call = async (operation, id, args) => {
    const keys = keysOf(operation, NAMESPACE, id);
    const [outcome] = await client.evalsha(shas[operation], keys.length, ...keys, ...args);
    if (outcome !== "OK") throw new Error(`${operation} was rejected: ${outcome}`);
  };
  /** Calls an operation for every entity, and returns the bytes per call that the file has grown by. */
  const all = async (operation, argsFor) => {
    const before = await size(client);
    for (let first = 0; first < ENTITIES; first += IN_FLIGHT) {
      const ids = Array.from({ length: Math.min(IN_FLIGHT, ENTITIES - first) }, (_, i) =>
        idOf("e", first + i),
      );
      await Promise.all(ids.map((id) => call(operation, id, argsFor(id))));
    }
    return ((await size(client)) - before) / ENTITIES;
  };
  const usual = (operation, turn, seen) => (id) => argsOf({ operation, op: true }, id, turn, seen);
  const used = async () => {
    await client.xtrim(events, "MAXLEN", 0);
    return Number(/used_memory:(\d+)/.exec(await client.info("memory"))[1]);
  };

  await call("apply", "", argsOf({ operation: "apply" }, "", 1));
  const first = idOf("s", 0);
  await call("create", first, threeFields(first));
  const before = await used();
  const [, , ...options] = argsOf({ operation: "transition", op: true }, "", 0, await end(client, NAMESPACE));
  const file = { create: await all("create", (id) => threeFields(id, ...options)) };
  const memory = {};
  for (let change = 2; change <= CHANGES.at(-1); change += 1) {
    const bytes = await all("transition", usual("transition", change, await end(client, NAMESPACE)));
    if (change === 3) file.transition = bytes; // the previous one sets a stamp
    if (CHANGES.includes(change)) memory[change] = ((await used()) - before) / ENTITIES;
  }
  file["transition with a full log"] = await all(
    "transition",
    usual("transition", 33, await end(client, NAMESPACE)),
  );
  file["patch with a full log"] = await all("patch", usual("patch", 1, await end(client, NAMESPACE)));
  return { file, memory };
}

/** Returns the size of the append-only file. The server writes to it before it replies. */
async function size(client) {
  return Number(/aof_current_size:(\d+)/.exec(await client.info("persistence"))[1]);
}
