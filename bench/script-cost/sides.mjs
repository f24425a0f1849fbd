// The three sides that are compared, each in a namespace of its own with the same machine and the same entities.
import { readFileSync } from "node:fs";
import { copyEntities, removeEntities } from "./entities.mjs";
import { nativeScript, record } from "./native.mjs";
import {
  afternoonArgsOf,
  afternoonKeysOf,
  argsOf,
  CASES,
  idOf,
  keysOf,
  LASTING,
  largeValue,
  sourceOf,
  WARM_UP,
} from "./workload.mjs";

const START = "0-0";
/** After this number of passes over an entity, its log is trimmed as at the start, and it is in the same state. */
const PASSES = 8;
const SOURCE = sourceOf("e");

/** Prepares the sides. `scripts` is what dist/lua exports: operation -> { text }. */
export async function prepareSides(client, scripts, entities) {
  const sides = { script: { namespace: "s" }, native: { namespace: "n" }, afternoon: { namespace: "a" } };
  for (const [name, side] of Object.entries(sides)) {
    side.shas = {};
    if (name === "afternoon") await prepareAfternoon(client, side);
    else await prepareScripts(client, side, scripts, name === "native");
    side.seen = await end(client, side.namespace);
    for (const group of LASTING) await copyEntities(client, side.namespace, group, 0, entities - 1);
  }
  return sides;
}

/** Makes the sources of all groups, and takes down what each accepted case does to a copy of one. */
async function prepareScripts(client, { namespace, shas }, scripts, isNative) {
  const run = async (operation, id, args) => {
    const done = await record(client, scripts[operation].text, keysOf(operation, namespace, id), args);
    if (done.reply[0] !== "OK") throw new Error(`${operation} was rejected: ${done.reply}`);
    return done;
  };
  await run("apply", "", argsOf({ operation: "apply" }, "", 1));
  await run("create", SOURCE, argsOf({ operation: "create", op: true }, SOURCE, 0, START));
  for (let turn = 0; turn < WARM_UP; turn += 1)
    await run(
      "transition",
      SOURCE,
      argsOf({ operation: "transition", op: true }, SOURCE, turn, await end(client, namespace)),
    );
  await copyEntities(client, namespace, "s", 1, 3, SOURCE);
  await run("transition", sourceOf("h"), [sourceOf("h"), "leased", "FORCE", "REASON", "bench"]);
  await run("transition", sourceOf("x"), [sourceOf("x"), "late", "FORCE", "REASON", "bench"]);
  await backdate(client, keysOf("expire", namespace, sourceOf("x")), sourceOf("x"));
  await run("patch", sourceOf("v"), largeValue(sourceOf("v")));

  for (const { operation, name, outcome } of CASES) {
    shas[name] = isNative && outcome === "OK" ? [] : [await client.script("LOAD", scripts[operation].text)];
  }
  if (!isNative) return;
  for (const group of new Set(CASES.map((measured) => measured.group))) {
    if (sourceOf(group)) await copyEntities(client, namespace, group, 0, 0);
    for (let pass = 0; pass < (LASTING.includes(group) ? PASSES : 1); pass += 1) {
      for (const measured of CASES) {
        const { operation, name, outcome } = measured;
        if (measured.group !== group || outcome !== "OK" || (operation === "apply" && pass > 0)) continue;
        const id = operation === "apply" ? "" : idOf(group, 0);
        if (!LASTING.includes(group)) {
          await removeEntities(client, namespace, group, 0, 0);
          if (sourceOf(group)) await copyEntities(client, namespace, group, 0, 0);
        }
        const done = await run(
          operation,
          id,
          argsOf(measured, id, WARM_UP + pass, await end(client, namespace)),
        );
        const text = nativeScript(done, keysOf(operation, namespace, id), id);
        shas[name].push(await client.script("LOAD", text));
      }
    }
    await removeEntities(client, namespace, group, 0, 0);
  }
}

/** Makes the timeout of an entity expire by setting its times to the first millisecond of 1970. */
async function backdate(client, [entity, , , , due], id) {
  await client.hset(entity, "times:ms", "1 1 0");
  await client.zadd(due, "1", id);
}

async function prepareAfternoon(client, { namespace, shas }) {
  const texts = {};
  for (const { operation, name, afternoon } of CASES) {
    if (!afternoon) continue;
    const file = new URL(`./afternoon/${operation}.lua`, import.meta.url);
    texts[operation] ??= `#!lua\n${readFileSync(file, "utf8")}`;
    shas[name] = [await client.script("LOAD", texts[operation])];
  }
  const run = (operation, turn) => {
    const keys = afternoonKeysOf(operation, namespace, SOURCE);
    return client.eval(
      texts[operation],
      keys.length,
      ...keys,
      ...afternoonArgsOf({ operation, op: true }, SOURCE, turn),
    );
  };
  await run("create", 0);
  for (let turn = 0; turn < WARM_UP; turn += 1) await run("transition", turn);
  await copyEntities(client, namespace, "s", 1, 3, SOURCE);
  const [leased] = keysOf("heartbeat", namespace, sourceOf("h"));
  await client.hset(leased, "state", "leased", "version", String(WARM_UP + 2));
}

/** Returns the position of the newest entry of the event log. */
export async function end(client, namespace) {
  const [entry] = await client.xrevrange(keysOf("create", namespace, "")[5], "+", "-", "COUNT", 1);
  return entry?.[0] ?? START;
}

/** Returns one batch of calls, not yet sent, with what to do around it. */
export function batch(client, [name, side], measured, round, size, entities) {
  const { operation, group } = measured;
  const { namespace, shas, seen } = side;
  const isLasting = LASTING.includes(group);
  const batches = Math.floor(entities / size);
  const first = isLasting && operation !== "apply" ? (round % batches) * size : 0;
  // Every entity is idle at the start, busy after the first pass over all batches, and so on.
  const turn = WARM_UP + (operation === "transition" ? Math.floor(round / batches) : round);
  const pass = isLasting ? Math.floor(round / batches) : 0;
  const sha = shas[measured.name][pass % shas[measured.name].length];
  const command = operation === "get" ? "EVALSHA_RO" : "EVALSHA";
  const [keys, args] = name === "afternoon" ? [afternoonKeysOf, afternoonArgsOf] : [keysOf, argsOf];
  return {
    size,
    before: () => sourceOf(group) && !isLasting && copyEntities(client, namespace, group, 0, size - 1),
    call: (i) => {
      const id = idOf(group, first + i);
      const words = keys(operation, namespace, id);
      const version = 2 + WARM_UP + round * size + i;
      const rest = args(measured, id, operation === "apply" ? version : turn, seen);
      const isConstant = name === "native" && measured.outcome === "OK";
      return client.call(command, sha, words.length, ...words, ...(isConstant ? [id] : rest));
    },
    after: () => !isLasting && group !== "z" && removeEntities(client, namespace, group, 0, size - 1),
  };
}
