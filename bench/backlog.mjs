// Measures the client under a backlog: `npm run bench:backlog`, after `npm run build`.
//
//   node bench/backlog.mjs [--calls N,N] [--rate N] [--timeout SECONDS] [--callers N] [--rounds N] [--json] [--check]
//
// It starts its own server. Slow server: the numbers of --calls are changes made at once, through a proxy in a process of
// its own that passes on --rate requests a second. It reports the accepted changes per second, from when all calls were
// made, as a share of that rate; the changes with an unknown outcome; and the longest call as a share of its timeout.
// Empty script cache: --callers changes at once after SCRIPT FLUSH, compared with the same changes without it. It reports
// time, CPU of this process, and the number of SCRIPT LOADs. The results are medians of interleaved rounds. --check fails
// if a change has an unknown outcome or a script is loaded more than once, whatever the times are.

import { fork } from "node:child_process";
import { once } from "node:events";
import os from "node:os";
import { fileURLToPath } from "node:url";
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

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

/** Creates entities, all at once, with a new client. Throws if a call fails in another way than by the backlog. */
async function burst({ connect, NotExecutedError, OutcomeUnknownError }, url, { calls, rate, timeoutMs }) {
  const latchkey = await connect({ url, timeout: timeoutMs });
  try {
    const entities = await latchkey.machine(MACHINE);
    const name = `burst${performance.now()}-`;
    await entities.create(`${name}first`); // loads the script
    let [accepted, unknown, lastAt, longestMs] = [0, 0, 0, 0];
    const call = async (n) => {
      const calledAt = performance.now();
      try {
        await entities.create(`${name}${n}`);
        accepted += 1;
        lastAt = performance.now();
      } catch (error) {
        if (error instanceof OutcomeUnknownError) unknown += 1;
        else if (!(error instanceof NotExecutedError)) throw error;
      }
      longestMs = Math.max(longestMs, performance.now() - calledAt);
    };
    const all = Array.from({ length: calls }, (_, n) => call(n));
    const begunAt = performance.now(); // while this process makes the calls, it can send none
    await Promise.all(all);
    const throughput = (accepted * 1000) / (lastAt - begunAt) / rate;
    return { accepted, throughput, unknown, longest: longestMs / timeoutMs };
  } finally {
    await latchkey.close();
  }
}

/** Moves all entities, all at once, and returns the time and the CPU of this process in ms. */
async function moveAll(entities, ids, to) {
  const cpu = process.cpuUsage();
  const begunAt = performance.now();
  await Promise.all(ids.map((id) => entities.transition(id, to)));
  const { user, system } = process.cpuUsage(cpu);
  return { time: performance.now() - begunAt, cpu: (user + system) / 1000 };
}

/** Compares the changes after SCRIPT FLUSH with the same ones without it. */
async function coldAndWarm(entities, client, ids, isColdFirst) {
  const result = {};
  for (const side of isColdFirst ? ["cold", "warm"] : ["warm", "cold"]) {
    const to = (await entities.get(ids[0])).state === "a" ? "b" : "a";
    if (side === "cold") await client.script("FLUSH");
    await client.config("RESETSTAT");
    result[side] = await moveAll(entities, ids, to);
    if (side === "cold")
      result.loads = Number(/cmdstat_script\|load:calls=(\d+)/.exec(await client.info("commandstats"))?.[1]);
  }
  return result;
}

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: "string", default: "3500,10000" },
      rate: { type: "string", default: "1000" },
      timeout: { type: "string", default: "5" },
      callers: { type: "string", default: "4000" },
      rounds: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
    },
  });
  const [rate, seconds, callers, rounds] = ["rate", "timeout", "callers", "rounds"].map((name) =>
    whole(name, values[name]),
  );
  const sizes = values.calls.split(",").map((text) => whole("calls", text));
  const timeoutMs = 1000 * seconds;
  const [latchkeyModule, { startValkey }] = await built("index", "testing/index");
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  const proxy = fork(fileURLToPath(new URL("backlog/slow-proxy.mjs", import.meta.url)), [server.port, rate]);
  const latchkey = await latchkeyModule.connect({ url: server.url, timeout: "1m" });
  const bursts = sizes.map(() => []);
  const caches = [];
  try {
    const [port] = await once(proxy, "message");
    const entities = await latchkey.machine(MACHINE);
    const ids = Array.from({ length: callers }, (_, n) => `e${n}`);
    await Promise.all(ids.map((id) => entities.create(id)));
    await coldAndWarm(entities, client, ids, true); // warms up
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, calls] of sizes.entries()) {
        const url = `valkey://127.0.0.1:${port}`;
        bursts[at].push(await burst(latchkeyModule, url, { calls, rate, timeoutMs }));
      }
      caches.push(await coldAndWarm(entities, client, ids, round % 2 === 0));
    }
  } finally {
    await latchkey.close();
    client.disconnect();
    proxy.disconnect();
    await server.stop();
  }
  const slow = sizes.map((calls, at) => ({
    calls,
    accepted: median(bursts[at].map(({ accepted }) => accepted)),
    throughput: median(bursts[at].map(({ throughput }) => throughput)),
    unknown: Math.max(...bursts[at].map(({ unknown }) => unknown)),
    longest: median(bursts[at].map(({ longest }) => longest)),
  }));
  const cold = {
    callers,
    time: median(caches.map(({ cold, warm }) => cold.time / warm.time)),
    cpu: median(caches.map(({ cold, warm }) => cold.cpu / warm.cpu)),
    loads: Math.max(...caches.map(({ loads }) => loads)),
  };
  const load = os.loadavg()[0];
  if (values.json) console.log(JSON.stringify({ rate, timeoutMs, rounds, load, slow, cold }, null, 2));
  else report({ rate, seconds, rounds, load, slow, cold });
  if (!values.check) return;
  if (slow.some(({ unknown }) => unknown > 0)) throw new Error("a change ended with an unknown outcome");
  if (cold.loads !== 1) throw new Error(`the script was loaded ${cold.loads} times`);
}

function report({ rate, seconds, rounds, load, slow, cold }) {
  console.log(`median of ${rounds} rounds, load ${load.toFixed(1)}\n`);
  console.log(`server that does ${rate} requests a second, timeout ${seconds} s`);
  console.log("calls at once  accepted  throughput ÷ rate  most unknown  longest ÷ timeout");
  for (const { calls, accepted, throughput, unknown, longest } of slow) {
    const cells = [
      [calls, 13],
      [accepted, 8],
      [throughput.toFixed(2), 17],
      [unknown, 12],
      [longest.toFixed(2), 17],
    ];
    console.log(cells.map(([cell, width]) => String(cell).padStart(width)).join("  "));
  }
  console.log(`\n${cold.callers} changes at once after SCRIPT FLUSH, compared with the same without it`);
  console.log("time ÷ warm  CPU ÷ warm  most SCRIPT LOADs");
  console.log(
    `${cold.time.toFixed(2).padStart(11)}  ${cold.cpu.toFixed(2).padStart(10)}  ${String(cold.loads).padStart(17)}`,
  );
}

main().catch((error) => {
  console.error(`bench:backlog: ${error.message}`);
  process.exitCode = 1;
});
