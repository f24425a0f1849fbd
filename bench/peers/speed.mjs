// Measures the throughput of all sides in interleaved rounds: each round runs every work, place and number of callers on
// every side, one side after the other.
import { loadavg } from "node:os";
import { cpuOf } from "./cpu.mjs";

const WORKS = ["life", "race"];
const WARM_UP = { callers: 8, ms: 300 };
/** Agents that a race needs for each second, shared by its callers. No side comes close to it. */
const RACE_CALLS = 16_000;
/** Runs that are repeated because the proxy was saturated. */
const REPEATS = 2;

let runs = 0;

/** Runs a work once on one side, and returns the figures, each for one call. */
async function run({ file, replicas }, { work, name, place, proxy, callers, ms }) {
  const server = file === "postgres" ? "postgres" : "valkey";
  const ids = race(work, callers, ms);
  const prefix = `${work}${runs++}`;
  if (work === "race")
    await replicas[0].ask("fill", place.address, { ids: ids.map((n) => `${prefix}-${n}`) });
  const parts =
    callers === 1 || work === "life" ? [callers] : [Math.ceil(callers / 2), Math.floor(callers / 2)];
  const observed = await (place.routes && proxy.observe(place.routes[server]));
  const before = cpuOf(place.pids[server]);
  const order = { prefix, ms, ids: ids.map((n) => `${prefix}-${n}`) };
  const results = await Promise.all(
    parts.map((part, i) => replicas[i].ask(work, place.address, { ...order, callers: part })),
  );
  const after = cpuOf(place.pids[server]);
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const latencies = results.flatMap((result) => [...result.latencies]).sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  const { bytes, isSaturated = false, share, delay } = (await observed?.()) ?? {};
  const won = results.flatMap((result) => result.won ?? []);
  return {
    name,
    throughput: (latencies.length * 1_000) / Math.max(...results.map(({ elapsed }) => elapsed)),
    p50: at(0.5),
    p99: at(0.99),
    client: sum("cpu") / sum("calls"),
    server: after === undefined ? undefined : (after - before) / sum("calls"),
    bytes: bytes === undefined ? undefined : bytes / sum("calls"),
    wonTwice: won.length - new Set(won).size,
    failed: results.reduce((total, { failed = 0 }) => total + failed, 0),
    isSaturated,
    proxy: { share, delay },
    load: loadavg()[0],
  };
}

function race(work, callers, ms) {
  const count = work === "race" ? Math.ceil((RACE_CALLS * ms) / 1_000 / callers) : 0;
  return Array.from({ length: count }, (_, n) => n);
}

/** Returns the figures of all rounds by place, work, number of callers and side. */
export async function measureSpeed(sides, { places, proxy, callers, rounds, ms, say }) {
  const cases = Object.entries(places).flatMap(([name, place]) =>
    WORKS.flatMap((work) => callers.map((count) => ({ work, name, place, proxy, callers: count, ms }))),
  );
  const measured = cases.map((one) => ({ ...one, figures: sides.map(({ file }) => ({ file, rounds: [] })) }));
  for (const [name, place] of Object.entries(places)) {
    for (const { file, replicas } of sides) {
      await replicas[0].ask("fill", place.address, { ids: [] });
      for (const replica of replicas)
        await replica.ask("life", place.address, {
          ...WARM_UP,
          ms: Math.min(ms, WARM_UP.ms),
          prefix: `${name}-${replica.pid}`,
        });
      say(`${file} is warm`);
    }
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const one of measured) {
      // The side that starts changes from round to round.
      for (const i of sides.keys()) {
        const at = (i + round) % sides.length;
        let figures = await run(sides[at], one);
        for (let repeat = 0; figures.isSaturated && repeat < REPEATS; repeat += 1)
          figures = await run(sides[at], one);
        one.figures[at].rounds.push(figures);
      }
    }
    say(`round ${round + 1} of ${rounds}, load ${loadavg()[0].toFixed(1)}`);
  }
  return measured.map(({ work, name, callers: count, figures }) => ({
    work,
    place: name,
    callers: count,
    figures,
  }));
}
