// What each script costs, in time, in the append-only file and in memory: `npm run bench:script-cost`, after
// `npm run build`.
//
//   node bench/script-cost.mjs [--entities N] [--rounds N] [--only TEXT] [--json] [--check] [--write]
//
// It starts servers of its own. Server time per call is the server's own count (INFO commandstats). The first yardstick
// is a script of the same commands with constant arguments and the same reply, on entities of the same kind; that both
// issue the same commands is checked by the server's counts. The second is a script that an expert would write in an
// afternoon (bench/script-cost/afternoon/). Batches of all cases and sides alternate, and the time of a side is the
// lower quartile of its batches. --only measures the cases whose name contains TEXT. --check fails if a figure is
// beyond what a quiet machine has ever shown. --write puts the tables into docs/evidence/performance.md.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Valkey } from "iovalkey";
import { built, whole } from "./program.mjs";
import { measureFootprint } from "./script-cost/footprint.mjs";
import { exceeded, pageWith, tables } from "./script-cost/report.mjs";
import { batch, end, prepareSides } from "./script-cost/sides.mjs";
import { CASES } from "./script-cost/workload.mjs";

const PAGE = new URL("../docs/evidence/performance.md", import.meta.url);
const IN_FLIGHT = 200;
/** Calls of a batch: so few that most batches are measured while nothing else runs. */
const BATCH = 50;

/** Sends a batch and returns the server's counts: the time of a call in microseconds, and the calls by command. */
async function measure(client, { size, before, call, after }, outcome) {
  await before();
  await client.config("RESETSTAT");
  for (let sent = 0; sent < size; sent += IN_FLIGHT) {
    const calls = Array.from({ length: Math.min(IN_FLIGHT, size - sent) }, (_, i) => call(sent + i));
    const other = (await Promise.all(calls)).find((reply) => reply[0] !== outcome);
    if (other !== undefined) throw new Error(`A measured call should be ${outcome}, but is ${other}`);
  }
  const info = await client.info("commandstats");
  await after();
  const counts = {};
  let time = Number.NaN;
  for (const [, command, calls, usec] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
    if (/^evalsha/.test(command)) time = Number(usec) / Number(calls);
    else if (!/^(config|info)/.test(command)) counts[command] = Number(calls) / size;
  }
  return { time, counts };
}

/** Measures every case on every side that has it, `rounds` times, and returns the times by case and side. */
async function compare(client, sides, cases, rounds, entities) {
  const measured = Object.fromEntries(
    cases.map(({ name }) => [name, { script: [], native: [], afternoon: [] }]),
  );
  for (let round = 0; round < rounds; round += 1) {
    const ends = await Promise.all(Object.values(sides).map(({ namespace }) => end(client, namespace)));
    for (const one of cases) {
      const names = Object.keys(sides).filter((name) => has(one, name));
      const counts = {};
      // The side that starts changes from round to round.
      for (const name of names.map((_, i) => names[(i + round) % names.length])) {
        const size = one.operation === "apply" ? 20 : Math.min(BATCH, entities);
        const work = batch(client, [name, sides[name]], one, round, size, entities);
        const { time, counts: ofSide } = await measure(client, work, one.outcome);
        measured[one.name][name].push(time);
        counts[name] = JSON.stringify(Object.entries(ofSide).sort());
      }
      if (counts.native !== undefined && counts.native !== counts.script)
        throw new Error(`${one.name}: the yardstick issues ${counts.native}, the script ${counts.script}`);
    }
    // The position of the round before, because a script looks at the log's end if SEEN may be ahead of the clock.
    for (const [i, side] of Object.values(sides).entries()) side.seen = ends[i];
  }
  const quartile = (times) => times.sort((a, b) => a - b)[times.length >> 2];
  return Object.fromEntries(
    Object.entries(measured).map(([name, times]) => [
      name,
      Object.fromEntries(Object.entries(times).map(([side, list]) => [side, quartile(list)])),
    ]),
  );
}

const has = ({ outcome, afternoon = false }, name) =>
  name === "script" || (name === "native" ? outcome === "OK" : afternoon);

async function main() {
  const { values } = parseArgs({
    options: {
      entities: { type: "string", default: "4000" },
      rounds: { type: "string", default: "201" },
      only: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const entities = whole("entities", values.entities, BATCH);
  const rounds = whole("rounds", values.rounds, 1);
  const cases = CASES.filter(({ name }) => name.includes(values.only));
  const [{ scripts }, { startValkey }] = await built("lua/index", "testing/index");
  const footprint = values.only === "" ? await measureFootprint(startValkey, scripts) : undefined;
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  let times;
  let info;
  try {
    info = await client.info("server");
    const sides = await prepareSides(client, scripts, entities);
    times = await compare(client, sides, cases, rounds, entities);
  } finally {
    client.disconnect();
    await server.stop();
  }
  const results = { entities, rounds, server: nameOf(info), times, footprint };
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else console.log(tables(results));
  if (values.write) writeFileSync(PAGE, pageWith(readFileSync(PAGE, "utf8"), tables(results)));
  const over = values.check ? exceeded(results) : [];
  for (const line of over) console.error(`bench:script-cost: ${line}`);
  if (over.length > 0) process.exitCode = 1;
}

function nameOf(info) {
  const valkey = /valkey_version:(\S+)/.exec(info)?.[1];
  return valkey === undefined ? `Redis ${/redis_version:(\S+)/.exec(info)?.[1]}` : `Valkey ${valkey}`;
}

main().catch((error) => {
  console.error(`bench:script-cost: ${error.message}`);
  process.exitCode = 1;
});
