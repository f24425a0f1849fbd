// Compares the client with the bare call that it wraps: `npm run bench:client`, after `npm run build`.
//
//   node bench/client.mjs [--calls N] [--rounds N] [--in-flight N] [--json]
//
// It starts a server and moves entities between two states. Each round runs all sides, in changing order: the bare
// `evalsha` of iovalkey with `JSON.parse`, and `tryTransition`, each accepted and rejected. CPU is that of this process,
// from process.cpuUsage. The results are medians of the rounds' ratios.

import os from "node:os";
import { parseArgs } from "node:util";
import { Valkey } from "iovalkey";
import { built, whole } from "./program.mjs";

const MACHINE = {
  name: "m",
  version: 1,
  initial: "a",
  states: { a: { to: ["b"] }, b: { to: ["a"] } },
  events: { keep: 1000 },
};

/** Calls `work` this often, from `inFlight` callers at once, and returns the CPU time and the time per call in µs. */
async function measure(calls, inFlight, work) {
  let next = 0;
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async (_, caller) => {
      for (next += 1; next <= calls; next += 1) await work(caller, next);
    }),
  );
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / calls, time: ((performance.now() - started) * 1000) / calls };
}

/** Returns the four sides: what one call of one caller does. */
async function sides(entities, client, script, keysOf, callers) {
  const sha = await client.script("LOAD", script);
  const states = new Map();
  for (const side of ["bare", "client"]) {
    for (let caller = 0; caller < callers; caller += 1) {
      await entities.create(`${side}${caller}`);
      states.set(`${side}${caller}`, "a");
    }
  }
  const turn = (id) => {
    const to = states.get(id) === "a" ? "b" : "a";
    states.set(id, to);
    return to;
  };
  let seen = await entities.position("bare0");
  const bare = async (id, to, number, expected) => {
    const words = [id, to, "OP", `x${number}-${to}-${expected}`, "SEEN", seen, "NOTAFTER", "99999999999999"];
    const [outcome, text, position] = await client.evalsha(sha, 6, ...keysOf(id), ...words);
    seen = position ?? seen;
    if (outcome !== expected) throw new Error(`${outcome} instead of ${expected}`);
    return JSON.parse(text);
  };
  const ours = async (id, to, expected) => {
    const result = await entities.tryTransition(id, to);
    if (result.outcome !== expected) throw new Error(`${result.outcome} instead of ${expected}`);
    return result;
  };
  let round = 0;
  return {
    next: () => (round += 1),
    work: {
      "bare accepted": (caller, n) => bare(`bare${caller}`, turn(`bare${caller}`), `${round}-${n}`, "OK"),
      "client accepted": (caller) => ours(`client${caller}`, turn(`client${caller}`), "OK"),
      "bare rejected": (caller, n) =>
        bare(`bare${caller}`, states.get(`bare${caller}`), `${round}-${n}`, "ILLEGAL"),
      "client rejected": (caller) => ours(`client${caller}`, states.get(`client${caller}`), "ILLEGAL"),
    },
  };
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: "string", default: "20000" },
      rounds: { type: "string", default: "5" },
      "in-flight": { type: "string", default: "64" },
      json: { type: "boolean", default: false },
    },
  });
  const [calls, rounds, inFlight] = ["calls", "rounds", "in-flight"].map((name) => whole(name, values[name]));
  const [{ connect }, { startValkey }, { scripts }, { entityKeys }] = await built(
    "index",
    "testing/index",
    "lua/index",
    "valkey/keys",
  );
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  const latchkey = await connect({ url: server.url });
  const measured = [];
  try {
    const entities = await latchkey.machine(MACHINE);
    const location = { namespace: latchkey.namespace, partitions: 1, machine: MACHINE.name };
    const side = await sides(
      entities,
      client,
      scripts.transition.text,
      (id) => entityKeys(location, id),
      inFlight,
    );
    for (let round = 0; round <= rounds; round += 1) {
      side.next();
      const names = Object.keys(side.work);
      const order = [...names.slice(round % names.length), ...names.slice(0, round % names.length)];
      const results = {};
      for (const name of order) results[name] = await measure(calls, inFlight, side.work[name]);
      if (round > 0) measured.push(results); // the first round warms up
    }
  } finally {
    await latchkey.close();
    client.disconnect();
    await server.stop();
  }
  const rows = ["accepted", "rejected"].map((kind) => ({
    kind,
    cpu: median(measured.map((r) => r[`client ${kind}`].cpu / r[`bare ${kind}`].cpu)),
    throughput: median(measured.map((r) => r[`bare ${kind}`].time / r[`client ${kind}`].time)),
    bare: median(measured.map((r) => r[`bare ${kind}`].cpu)),
    client: median(measured.map((r) => r[`client ${kind}`].cpu)),
  }));
  const load = os.loadavg()[0];
  if (values.json) return console.log(JSON.stringify({ calls, rounds, inFlight, load, rows }, null, 2));
  console.log(
    `${inFlight} calls in flight, ${calls} calls, median of ${rounds} rounds, load ${load.toFixed(1)}\n`,
  );
  console.log("call      CPU ÷ bare  throughput ÷ bare  CPU bare  CPU client");
  for (const { kind, cpu, throughput, bare, client: own } of rows) {
    const cells = [cpu.toFixed(2).padStart(10), throughput.toFixed(2).padStart(18)];
    console.log(
      `${kind}${cells.join(" ")}  ${bare.toFixed(1).padStart(6)} µs  ${own.toFixed(1).padStart(7)} µs`,
    );
  }
}

main().catch((error) => {
  console.error(`bench:client: ${error.message}`);
  process.exitCode = 1;
});
