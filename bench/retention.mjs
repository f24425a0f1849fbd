// Checks that removed entities leave nothing behind: `npm run bench:retention`, after `npm run build`.
//
//   node bench/retention.mjs [--entities N] [--sweepers N] [--json] [--check]
//
// It starts its own server. Entities are created and ended, and kept for 10 s. Sweepers, each with its own connection,
// remove them after that. It prints the number of keys and the server's memory over time. At the end only the facts of
// the namespace, the machine, its event log and the tombstones in its index may exist. --check fails if more exists, if an
// entity was removed twice or never, or if the memory outside these grew.
import { parseArgs } from "node:util";
import { Valkey } from "iovalkey";
import { built, whole } from "./program.mjs";

const IN_FLIGHT = 200;
const EVERY_MS = 5_000;
/** Largest difference of the server's memory between two idle moments, in bytes. */
const NOISE = 2_000_000;
/** A removed entity leaves at most this number of bytes in the index; the newest 100,000 stay. */
const TOMBSTONE = { bytes: 130, most: 100_000 };
const LEFT = [
  "{latchkey:0}:done:events",
  "{latchkey:0}:done:index",
  "{latchkey:0}:done:machine",
  "{latchkey:0}:machines",
  "{latchkey}:meta",
];

async function main() {
  const { values } = parseArgs({
    options: {
      entities: { type: "string", default: "1000000" },
      sweepers: { type: "string", default: "2" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
    },
  });
  const entities = whole("entities", values.entities);
  const sweepers = whole("sweepers", values.sweepers);
  const [{ connect }, { startValkey }] = await built("index", "testing/index");
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const asked = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  const stop = new AbortController();
  try {
    const home = await connect({ url: server.url });
    const states = { busy: { to: ["ended"] }, ended: { retain: "10s" } };
    const machine = { name: "done", version: 1, initial: "busy", states, events: { keep: 10_000 } };
    const jobs = await home.machine(machine);
    const curve = new Curve(asked, values.json);
    // The event log is filled first: what it holds stays.
    await live(jobs, "w", 10_000);
    await jobs.sweep({
      signal: until(async () => (await asked.zcount("{latchkey:0}:done:index", 0, "+inf")) === 0),
    });
    const before = await curve.take("before");
    const replicas = await Promise.all(
      Array.from({ length: sweepers }, () => connect({ url: server.url, connectionName: "sweeper" })),
    );
    const sweeping = replicas.map((replica) =>
      replica.sweep({ signal: stop.signal, interval: "500ms", batch: 500 }),
    );
    const timer = setInterval(() => void curve.take("running"), EVERY_MS);
    await live(jobs, "e", entities);
    await curve.take("all ended");
    await new Promise((resolve) => {
      until(async () => (await asked.zcount("{latchkey:0}:done:index", 0, "+inf")) === 0).addEventListener(
        "abort",
        resolve,
      );
    });
    stop.abort();
    const removed = (await Promise.all(sweeping)).reduce((sum, swept) => sum + swept.removed, 0);
    clearInterval(timer);
    const after = await curve.take("after");
    const keys = (await asked.keys("*")).sort();
    const grown = after.bytes - before.bytes;
    if (values.json)
      console.log(JSON.stringify({ entities, sweepers, removed, keys, grown, curve: curve.points }));
    else
      console.log(
        `\n${removed} of ${entities} removed, ${grown} bytes more than before; left: ${keys.join(", ")}`,
      );
    await Promise.all([home, ...replicas].map((one) => one.close()));
    const limit = NOISE + TOMBSTONE.bytes * Math.min(entities, TOMBSTONE.most);
    const isClean = removed === entities && JSON.stringify(keys) === JSON.stringify(LEFT) && grown < limit;
    if (values.check && !isClean) throw new Error("something was left behind, or not removed exactly once");
  } finally {
    asked.disconnect();
    await server.stop();
  }
}

/** Creates entities and ends them, some at a time. */
async function live(jobs, group, count) {
  for (let at = 0; at < count; at += IN_FLIGHT) {
    const size = Math.min(IN_FLIGHT, count - at);
    const one = async (_, n) => {
      const id = `${group}${at + n}`;
      await jobs.create(id, { taskId: `t-${at + n}`, host: "node-17" });
      await jobs.transition(id, "ended");
    };
    await Promise.all(Array.from({ length: size }, one));
  }
}

/** Aborted as soon as something holds, which is asked again and again. */
function until(holds) {
  const controller = new AbortController();
  const timer = setInterval(async () => {
    if (!(await holds())) return;
    clearInterval(timer);
    controller.abort();
  }, 100);
  return controller.signal;
}

/** Samples the keys and the server's memory over time. */
class Curve {
  points = [];
  #asked;
  #began = performance.now();
  #isQuiet;

  constructor(asked, isQuiet) {
    this.#asked = asked;
    this.#isQuiet = isQuiet;
    if (!isQuiet) console.log(`${"SECONDS".padStart(8)}${"ENTITIES".padStart(10)}${"MEMORY".padStart(10)}`);
  }

  async take(what) {
    const [memory, there] = await Promise.all([
      this.#asked.info("memory"),
      this.#asked.zcount("{latchkey:0}:done:index", 0, "+inf"),
    ]);
    const bytes = Number(/used_memory_dataset:(\d+)/.exec(memory)?.[1]);
    const point = { what, seconds: (performance.now() - this.#began) / 1000, entities: there, bytes };
    this.points.push(point);
    const bar = "#".repeat(Math.round(bytes / 5e6));
    const cells = [
      point.seconds.toFixed(0).padStart(8),
      String(there).padStart(10),
      `${(bytes / 1e6).toFixed(1)} MB`.padStart(10),
    ];
    if (!this.#isQuiet) console.log(`${cells.join("")}  ${bar}${what === "running" ? "" : ` ${what}`}`);
    return point;
  }
}

main().catch((error) => {
  console.error(`bench:retention: ${error.message}`);
  process.exitCode = 1;
});
