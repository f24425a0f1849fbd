// Measures what partitions cost: `npm run bench:scaling`, after `npm run build`.
//
//   node bench/scaling.mjs [--nodes N] [--partitions P,P…] [--entities N] [--calls N] [--rounds N] [--only WORK] [--json]
//
// It starts one server, or with --nodes a cluster of N primaries, and makes one namespace for each number of partitions.
// Rounds of all namespaces alternate. Times are CPU times, so that other programs on the computer do not count: of the
// main threads of the servers, and of this process. The figures are medians of the rounds.
import os from "node:os";
import { parseArgs } from "node:util";
import { built, whole } from "./program.mjs";
import { dataBytes, serverCpu, startServers } from "./scaling/servers.mjs";
import { each, works } from "./scaling/work.mjs";

const machine = {
  name: "job",
  version: 1,
  initial: "a",
  states: {
    a: { to: ["b"], lease: { for: "1h", to: "b" } },
    b: { to: ["a"], lease: { for: "1h", to: "a" } },
  },
  events: { keep: 1_000_000 },
};

/** Makes the namespace of a number of partitions, with entities. */
async function namespaceOf(connect, { url, clients }, partitions, { entities, inFlight }) {
  const latchkey = await connect({ url, namespace: `p${partitions}`, timeout: "1m" });
  await latchkey.init(partitions);
  const began = performance.now();
  const before = await dataBytes(clients);
  const jobs = await latchkey.machine(machine);
  const installMs = performance.now() - began;
  const bytes = (await dataBytes(clients)) - before;
  await each(entities, inFlight, (n) => jobs.create(`j${n}`));
  return { latchkey, jobs, partitions, turn: { state: "a" }, install: { ms: installMs, bytes } };
}

/**
 * Runs a work and returns the CPU times of one of its units, in µs.
 *
 * @param idle CPU time of idle servers, in µs per ms, which does not count
 */
async function measure(work, namespace, clients, idle = 0) {
  const [before, own, began] = [await serverCpu(clients), process.cpuUsage(), performance.now()];
  const units = await work(namespace);
  const { user, system } = process.cpuUsage(own);
  const server = (await serverCpu(clients)) - before - idle * (performance.now() - began);
  return { server: server / units, client: (user + system) / units };
}

const IDLE_MS = 5_000;

/** Measures what the servers need although nobody asks them anything. */
async function idleCost(clients) {
  const wait = async () => new Promise((resolve) => setTimeout(resolve, IDLE_MS, IDLE_MS));
  return (await measure(wait, undefined, clients)).server;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

async function main() {
  const { nodes, partitions, entities, calls, rounds, inFlight, only, json } = settings();
  const [{ connect }, { startValkey }] = await built("index", "testing/index");
  const servers = await startServers(startValkey, nodes);
  const sizes = { entities, calls, inFlight };
  const all = Object.entries(works(sizes)).filter(([name]) => name.startsWith(only));
  const namespaces = [];
  const measured = new Map();
  try {
    for (const count of partitions) namespaces.push(await namespaceOf(connect, servers, count, sizes));
    const idle = await idleCost(servers.clients);
    for (let round = 0; round <= rounds; round += 1) {
      for (const [name, work] of all) {
        // The namespace that begins changes from round to round.
        const first = round % namespaces.length;
        for (const namespace of [...namespaces.slice(first), ...namespaces.slice(0, first)]) {
          const times = await measure(work, namespace, servers.clients, idle);
          const key = `${name} ${namespace.partitions}`;
          if (round > 0) measured.set(key, [...(measured.get(key) ?? []), times]); // the first round warms up
        }
      }
    }
  } finally {
    await Promise.all(namespaces.map(({ latchkey }) => latchkey.close()));
    await servers.close();
  }
  const of = (name, count, side) => median(measured.get(`${name} ${count}`).map((times) => times[side]));
  const rows = all.flatMap(([name]) =>
    ["server", "client"].map((side) => ({
      name,
      side,
      us: partitions.map((count) => of(name, count, side)),
    })),
  );
  const installs = namespaces.map(({ install }) => install);
  const load = os.loadavg()[0];
  if (json)
    return console.log(
      JSON.stringify({ nodes, partitions, ...sizes, rounds, load, rows, installs }, null, 2),
    );
  console.log(
    `CPU time in µs, ${nodes === 1 ? "one server" : `a cluster of ${nodes}`}, load ${load.toFixed(1)}\n`,
  );
  print("partitions", "", partitions.map(String));
  for (const { name, side, us } of rows)
    print(
      name,
      side,
      us.map((time) => time.toFixed(time < 100 ? 1 : 0)),
    );
  print(
    "memory of the machine",
    "KiB",
    installs.map(({ bytes }) => (bytes / 1024).toFixed(0)),
  );
  print(
    "time to install it",
    "ms",
    installs.map(({ ms }) => ms.toFixed(0)),
  );
}

function print(name, side, cells) {
  console.log(`${name.padEnd(36)}${side.padEnd(8)}${cells.map((cell) => cell.padStart(10)).join("")}`);
}

function settings() {
  const option = (value) => ({ type: "string", default: value });
  const { values } = parseArgs({
    options: {
      nodes: option("1"),
      partitions: option("1,16,64,256,1024"),
      entities: option("10000"),
      calls: option("10000"),
      rounds: option("5"),
      "in-flight": option("64"),
      only: option(""),
      json: { type: "boolean", default: false },
    },
  });
  const { json, only, partitions, "in-flight": inFlight, ...numbers } = values;
  return {
    json,
    only,
    partitions: partitions.split(",").map((text) => whole("partitions", text)),
    inFlight: whole("in-flight", inFlight),
    ...Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, whole(name, text)])),
  };
}

main().catch((error) => {
  console.error(`bench:scaling: ${error.message}`);
  process.exit(1); // a client of a server that has ended connects again and again
});
