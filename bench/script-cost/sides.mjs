// The two sides that are compared, each in a namespace of its own with the same machine and the same entities.
import { nativeScript, record } from "./native.mjs";
import { argsOf, copyEntities, idOf, keysOf, makeSources, removeEntities, WARM_UP } from "./workload.mjs";

/** The groups whose entities are made for each batch anew, by the operation that is measured on them. */
const FRESH = { heartbeat: "h", expire: "x", remove: "r" };

/** Prepares both sides. `scripts` is what dist/lua exports: operation -> { text }. */
export async function prepareSides(client, scripts, entities) {
  const operations = Object.keys(scripts);
  const sides = {};
  for (const [name, namespace] of [
    ["script", "s"],
    ["native", "n"],
  ]) {
    const recorded = await warmUp(client, scripts, namespace);
    await copyEntities(client, namespace, "e", 1, entities - 1);
    const shas = {};
    for (const operation of operations) {
      if (recorded[operation] === undefined)
        throw new Error(`bench/script-cost does not call ${operation} yet.`);
      // A transition goes back and forth alternately, with two sets of constants.
      shas[operation] = await Promise.all(
        recorded[operation].map(({ keys, id, ...run }) =>
          client.script("LOAD", name === "native" ? nativeScript(run, keys, id) : scripts[operation].text),
        ),
      );
    }
    sides[name] = { name, namespace, shas };
  }
  return sides;
}

/** Fills entity e0 the way every entity is filled, and takes down what each operation does on the way. */
async function warmUp(client, scripts, namespace) {
  const recorded = {};
  const run = async (operation, id, turn) => {
    const keys = keysOf(operation, namespace, id);
    const done = await record(client, scripts[operation].text, keys, argsOf(operation, id, turn));
    if (done.reply[0] !== "OK") throw new Error(`${operation} was rejected: ${done.reply}`);
    const there = operation === "transition" ? (recorded[operation] ?? []).slice(-1) : [];
    recorded[operation] = [...there, { ...done, keys, id }];
  };
  await run("apply", "", 0);
  const id = idOf("e", 0);
  await run("create", id, 0);
  for (let turn = 0; turn < WARM_UP; turn += 1) await run("transition", id, turn);
  await run("patch", id, 0);
  await makeSources(client, scripts.transition.text, namespace);
  for (const [operation, group] of Object.entries(FRESH)) {
    await copyEntities(client, namespace, group, 0, 0);
    await run(operation, idOf(group, 0), WARM_UP + 1);
    await removeEntities(client, namespace, group, 0, 0);
  }
  await run("apply", "", 1);
  return recorded;
}

/** One batch of calls, not yet sent, with what to do around it. Groups: e stays, c is created, others are copied. */
export function batch(client, side, operation, round, size, entities) {
  const { namespace, shas } = side;
  const batches = Math.floor(entities / size);
  const first = operation === "transition" || operation === "patch" ? (round % batches) * size : 0;
  const group = { create: "c", ...FRESH }[operation] ?? "e";
  // Every entity is idle at the start, busy after the first pass over all batches, and so on.
  const turn = { transition: WARM_UP + Math.floor(round / batches) }[operation] ?? WARM_UP + round;
  const sha = shas[operation][turn % shas[operation].length];
  return {
    size,
    before: () => FRESH[operation] && copyEntities(client, namespace, group, 0, size - 1),
    call: (i) => {
      const id = idOf(group, first + i);
      const keys = keysOf(operation, namespace, id);
      const args = argsOf(operation, id, operation === "apply" ? 2 + round * size + i : turn);
      return client.evalsha(sha, keys.length, ...keys, ...(side.name === "native" ? [id] : args));
    },
    after: () => /[chx]/.test(group) && removeEntities(client, namespace, group, 0, size - 1),
  };
}
