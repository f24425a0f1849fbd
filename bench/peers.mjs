// Compares latchkey with other ways to keep the state of agents: `npm run bench:peers`, after `npm run build`.
//
//   node bench/peers.mjs [--only SIDES] [--places PLACES] [--callers COUNTS] [--rounds N] [--ms N] [--agents N]
//                        [--processes N] [--tiny] [--json] [--check] [--write]
//
// It starts servers and processes of its own. Each side works in its own processes, and rounds of all sides alternate.
// The places are network (a proxy that delays by 1 ms each way), loopback, and disk (every change is on disk before its
// reply). --agents and --processes are the size of the fault runs; 0 agents leave them out. --tiny runs everything once, for seconds. --check
// fails if latchkey gets something wrong, or is far from a goal. --write puts tables and chart into docs/evidence.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packages } from "../scripts/setup/packages.mjs";
import { startReplica } from "./peers/replicas.mjs";
import { load, SIDES } from "./peers/sides/index.mjs";
import { whole } from "./program.mjs";

const PAGE = new URL("../docs/evidence/performance.md", import.meta.url);
const CHART = new URL("../docs/images/peers.svg", import.meta.url);
const SEED = 7;
const FULL = {
  places: "network,loopback,disk",
  callers: "1,8,64,256",
  rounds: "5",
  ms: "400",
  agents: "400",
  processes: "4",
};
const TINY = { places: "network", callers: "8", rounds: "1", ms: "60", agents: "20", processes: "2" };

const say = (line) => console.error(`bench:peers: ${line}`);

/** Measures the speed of all sides, and returns the rounds with the load. */
async function speeds(files, opened, { places, callers, rounds, ms }) {
  const { measureSpeed } = await import("./peers/speed.mjs");
  const sides = [];
  try {
    for (const file of files)
      sides.push({ file, replicas: await Promise.all([1, 2].map(() => startReplica(file))) });
    const chosen = Object.fromEntries(places.map((place) => [place, opened.places[place]]));
    return await measureSpeed(sides, { places: chosen, proxy: opened.proxy, callers, rounds, ms, say });
  } finally {
    await Promise.all(sides.flatMap(({ replicas }) => replicas.map((replica) => replica.kill())));
  }
}

async function faultRuns(files, { places, cuttable, proxy }, { agents, processes }) {
  if (agents === 0) return [];
  const { runFaults } = await import("./peers/faults.mjs");
  const results = [];
  for (const file of files) {
    const began = performance.now();
    results.push({
      file,
      ...(await runFaults(
        file,
        { place: places.loopback, cuttable, proxy },
        { agents, processes, seed: SEED },
      )),
    });
    say(`${file} under faults: ${((performance.now() - began) / 1_000).toFixed(0)} s`);
  }
  return results;
}

async function main() {
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(Object.keys(FULL).map((name) => [name, { type: "string" }])),
      only: { type: "string", default: SIDES.join(",") },
      ...Object.fromEntries(["tiny", "json", "check", "write"].map((name) => [name, { type: "boolean" }])),
    },
  });
  const { only, places, callers, ...counts } = { ...(values.tiny ? TINY : FULL), ...values };
  const size = {
    places: among("places", places, ["network", "loopback", "disk"]),
    callers: callers.split(",").map((count) => whole("callers", count)),
    rounds: whole("rounds", counts.rounds),
    ms: whole("ms", counts.ms),
    agents: whole("agents", counts.agents, 0),
    processes: whole("processes", counts.processes),
  };
  const modules = await prepare();
  const chosen = among("only", only, SIDES);
  const opened = await modules.openPlaces(modules.startValkey, say);
  try {
    const files = chosen.filter((file) => file !== "postgres" || opened.postgres !== undefined);
    const faults = await faultRuns(files, opened, size);
    const measured = await speeds(files, opened, size);
    await report({ ...size, files, faults, measured, servers: opened.versions }, values);
  } finally {
    await opened.stop();
  }
}

async function report({ files, faults, measured, ...rest }, { tiny, json, check, write }) {
  const { failures, missedGoals, summarize } = await import("./peers/summary.mjs");
  const { pageWith, tables } = await import("./peers/report.mjs");
  const summary = summarize(measured);
  const names = {};
  for (const file of files) names[file] = (await load(file)).name;
  const all = measured.flatMap(({ figures }) => figures.flatMap(({ rounds }) => rounds));
  const loads = [...all.map((round) => round.load), loadavg()[0]].sort((a, b) => a - b);
  const proxied = all.filter(({ proxy, isSaturated }) => proxy.delay !== undefined && !isSaturated);
  const delays = proxied.map(({ proxy }) => proxy.delay).sort((a, b) => a - b);
  const share = Math.max(...proxied.map(({ proxy }) => proxy.share));
  const results = {
    ...rest,
    load: [loads[0], loads.at(-1)].map((value) => value.toFixed(1)),
    ...(proxied.length > 0 && { proxy: { delay: delays[delays.length >> 1], share } }),
    names,
    faults,
    summary,
  };
  const text = tables(results);
  console.log(json ? JSON.stringify(results, null, 2) : text);
  if (write) {
    const { chart } = await import("./peers/chart.mjs");
    mkdirSync(new URL(".", CHART), { recursive: true });
    writeFileSync(PAGE, pageWith(readFileSync(PAGE, "utf8"), text));
    writeFileSync(CHART, chart(names, summary));
  }
  for (const line of missedGoals(summary)) say(`missed: ${line}`);
  const failed = check ? failures(summary, faults, !tiny) : [];
  for (const line of failed) say(`FAILED: ${line}`);
  if (failed.length > 0) process.exitCode = 1;
}

/** Installs the libraries of the peers if they are missing, and loads what needs them or the build. */
async function prepare() {
  const tool = fileURLToPath(new URL("peers", import.meta.url));
  if (packages.isPending(tool)) {
    say(packages.announcement());
    packages.run(tool);
  }
  try {
    const [{ startValkey }, { openPlaces }] = await Promise.all([
      import("../dist/testing/index.js"),
      import("./peers/places.mjs"),
    ]);
    return { startValkey, openPlaces };
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error("dist is not built. Run: npm run build");
  }
}

function among(option, text, known) {
  const words = text.split(",");
  const unknown = words.find((word) => !known.includes(word));
  if (unknown === undefined) return words;
  throw new Error(`unknown ${option} "${unknown}". Choose from: ${known.join(", ")}.`);
}

main().catch((error) => {
  say(error.stack);
  process.exitCode = 1;
});
