// What durability costs beside a change in memory: `npm run bench:durability`, after `npm run build`.
//
//   node bench/durability.mjs [--callers N] [--calls N] [--rounds N] [--json] [--check]
//
// It starts servers of its own, each with a replica of the same settings. Callers share one connection and change
// entities of their own, one call after the other. Three ways are compared in the same run: not waiting (memory), every
// change with a WAIT or WAITAOF of its own before the next one goes out (alone), and the client's group commit (group).
// Rounds of all three alternate, and the ratios are medians of the rounds' ratios. --check fails where the group commit
// has less than a fifth of the throughput of not waiting.
import { parseArgs } from "node:util";
import { built, whole } from "./program.mjs";

const LEAST_OF_MEMORY = 0.2;
const WAIT_MS = 10_000;
const SETTINGS = [
  { appendfsync: "always", needs: { fsync: [1, 0], "1 replica": [0, 1], "1 replica and fsync": [1, 1] } },
  { appendfsync: "everysec", needs: { "1 replica": [0, 1] } },
];

/** One change of a caller's entity. */
async function change({ client, run, keys }, caller) {
  const id = `e${caller}`;
  const [outcome] = await run(client, keys(id), [id, "SET", "n", "1"]);
  if (outcome !== "OK") throw new Error(`A measured call was rejected: ${outcome}`);
}

/** Changes per second of all callers together, each of whom makes one after the other. */
async function throughput(callers, calls, durably) {
  const began = performance.now();
  const each = async (_, caller) => {
    for (let n = 0; n < calls; n += 1) await durably(caller);
  };
  await Promise.all(Array.from({ length: callers }, each));
  return (callers * calls * 1_000) / (performance.now() - began);
}

/** A caller's change as it is made each way. */
function ways(side, local, replicas) {
  const { client, commits } = side;
  const met = ([onDisk, copies]) => {
    if (onDisk < local || copies < replicas) throw new Error(`A wait ended with ${onDisk}, ${copies}`);
  };
  const wait = async () => {
    if (local === 0) return met([0, await client.call("WAIT", replicas, WAIT_MS)]);
    return met(await client.call("WAITAOF", local, replicas, WAIT_MS));
  };
  let last = Promise.resolve();
  return {
    memory: (caller) => change(side, caller),
    alone: (caller) => {
      last = last.then(() => change(side, caller)).then(wait);
      return last;
    },
    group: async (caller) => {
      await change(side, caller);
      const acknowledged = await commits.wait({ local, replicas }, WAIT_MS);
      met([acknowledged.local, acknowledged.replicas]);
    },
  };
}

async function compare(side, [local, replicas], { callers, calls, rounds }) {
  const results = [];
  const durably = ways(side, local, replicas);
  const names = Object.keys(durably);
  for (let round = -1; round < rounds; round += 1) {
    const measured = {};
    // The one that starts changes from round to round; the first round only warms up.
    for (const name of names.map((_, at) => names[(at + round + 1) % names.length])) {
      measured[name] = await throughput(callers, calls, durably[name]);
    }
    const { memory, alone, group } = measured;
    if (round >= 0) results.push({ ...measured, ofMemory: group / memory, ofAlone: group / alone });
  }
  const middle = (name) => results.map((result) => result[name]).sort((a, b) => a - b)[rounds >> 1];
  return Object.fromEntries([...names, "ofMemory", "ofAlone"].map((name) => [name, middle(name)]));
}

/** A primary and its replica, entities for all callers, and a connection for the changes. */
async function prepare({ startValkey, connect, openConnection, GroupCommit, ...more }, appendfsync, callers) {
  const { runScript, scripts, entityKeys, agent } = more;
  const servers = [];
  const start = async (...args) => {
    const options = ["--appendfsync", appendfsync, "--repl-diskless-sync-delay", "0", ...args];
    servers.push(await startValkey({ appendOnly: true, args: options }));
    return servers.at(-1);
  };
  const stops = [];
  const end = async () => {
    for (const stop of [...stops, ...servers.map((server) => () => server.stop())]) await stop();
  };
  try {
    const primary = await start();
    const latchkey = await connect({ url: primary.url });
    stops.push(() => latchkey.close());
    const agents = await latchkey.machine(agent());
    for (let caller = 0; caller < callers; caller += 1) await agents.create(`e${caller}`);
    await start("--replicaof", primary.host, String(primary.port));
    const connection = await openConnection({ url: primary.url });
    stops.push(() => connection.close());
    const { client } = connection;
    while (!/state=online/.test(await client.info("replication"))) await client.wait(1, 10);
    const location = { namespace: "latchkey", machine: "agent", partitions: 1 };
    const run = (one, keys, args) => runScript(one, scripts.patch, keys, args);
    return { client, run, keys: (id) => entityKeys(location, id), commits: new GroupCommit(client), end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      callers: { type: "string", default: "64" },
      calls: { type: "string", default: "20" },
      rounds: { type: "string", default: "9" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
    },
  });
  const size = Object.fromEntries(
    ["callers", "calls", "rounds"].map((name) => [name, whole(name, values[name])]),
  );
  const paths = ["index", "testing/index", "lua/index", "valkey/open-connection", "valkey/group-commit"];
  const modules = Object.assign({}, ...(await built(...paths, "valkey/script", "valkey/keys")));
  const results = [];
  for (const { appendfsync, needs } of SETTINGS) {
    const side = await prepare(modules, appendfsync, size.callers);
    try {
      for (const [need, counts] of Object.entries(needs)) {
        results.push({ appendfsync, need, ...(await compare(side, counts, size)) });
      }
    } finally {
      await side.end();
    }
  }
  if (values.json) console.log(JSON.stringify({ ...size, results }, null, 2));
  else print(results, size);
  const slow = results.filter(({ ofMemory }) => ofMemory < LEAST_OF_MEMORY);
  if (values.check && slow.length > 0) {
    const names = slow.map(({ appendfsync, need }) => `${need} with appendfsync ${appendfsync}`);
    console.error(`bench:durability: less than ${LEAST_OF_MEMORY} of memory: ${names.join(", ")}`);
    process.exitCode = 1;
  }
}

function print(results, { callers, rounds }) {
  const heads = ["memory", "alone", "group commit", "group/memory", "group/alone"];
  console.log(
    `Changes per second, ${callers} callers on one connection (median of ${rounds} alternating rounds)\n`,
  );
  const row = (names, cells) => names.join("").padEnd(36) + cells.map((cell) => cell.padStart(16)).join("");
  console.log(row(["appendfsync".padEnd(13), "durability"], heads));
  for (const { appendfsync, need, ...result } of results) {
    const counts = [result.memory, result.alone, result.group].map((count) => count.toFixed(0));
    const ratios = [result.ofMemory, result.ofAlone].map((ratio) => ratio.toFixed(2));
    console.log(row([appendfsync.padEnd(13), need], [...counts, ...ratios]));
  }
}

main().catch((error) => {
  console.error(`bench:durability: ${error.message}`);
  process.exitCode = 1;
});
