// Compares latchkey with the service that it replaces: `npm run bench:replaced`, after `npm run build`.
//
//   node bench/replaced.mjs [--agents N] [--rounds N] [--json]
//
// It starts a server, and moves agents from spawning to running with 1, 16 and 256 concurrent callers. Rounds of both
// sides alternate. The result is the median ratio of their throughput; above 1, latchkey is faster.
import { parseArgs } from "node:util";
import { Valkey } from "iovalkey";

const CALLERS = [1, 16, 256];

/** Calls `work` for every id, from this many callers at once, and returns the calls per second. */
async function throughput(ids, callers, work) {
  const queue = ids.values();
  const started = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (const id of queue) await work(id);
    }),
  );
  return (ids.length / (performance.now() - started)) * 1000;
}

/** Creates this round's agents on both sides, and measures the transition to running on each. */
async function round(sides, callers, number, agents) {
  const ids = Array.from({ length: agents }, (_, at) => `${callers}-${number}-${at}`);
  for (const { create } of Object.values(sides)) await throughput(ids, 64, create);
  const speeds = {};
  // The side that starts changes from round to round.
  for (const name of number % 2 === 0 ? ["latchkey", "replaced"] : ["replaced", "latchkey"])
    speeds[name] = await throughput(ids, callers, sides[name].run);
  return { ...speeds, ratio: speeds.latchkey / speeds.replaced };
}

async function main() {
  const { values } = parseArgs({
    options: {
      agents: { type: "string", default: "2000" },
      rounds: { type: "string", default: "9" },
      json: { type: "boolean", default: false },
    },
  });
  const agents = whole("agents", values.agents);
  const rounds = whole("rounds", values.rounds);
  const [{ agent, connect }, { startValkey }, { ReplacedService }] = await built();
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  const latchkey = await connect({ url: server.url });
  const results = {};
  try {
    const entities = await latchkey.machine(agent());
    const service = new ReplacedService(client);
    const sides = {
      latchkey: { create: (id) => entities.create(id), run: (id) => entities.transition(id, "running") },
      replaced: {
        create: (id) => service.registerSpawnedAgent(id, "t1"),
        run: (id) => service.transitionToRunning(id),
      },
    };
    for (const callers of CALLERS) {
      const measured = [];
      for (let number = 0; number < rounds; number += 1)
        measured.push(await round(sides, callers, number, agents));
      const middle = (name) => measured.map((speeds) => speeds[name]).sort((a, b) => a - b)[rounds >> 1];
      results[callers] = {
        latchkey: middle("latchkey"),
        replaced: middle("replaced"),
        ratio: middle("ratio"),
      };
    }
  } finally {
    await latchkey.close();
    client.disconnect();
    await server.stop();
  }
  if (values.json) console.log(JSON.stringify({ agents, rounds, callers: results }, null, 2));
  else print(results, agents, rounds);
}

function whole(name, text) {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new Error(`--${name} takes a whole number from 1 to 9999999.`);
}

async function built() {
  try {
    return await Promise.all([
      import("../dist/index.js"),
      import("../dist/testing/index.js"),
      import("../dist/demo/replaced-service.js"),
    ]);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error("dist is not built. Run: npm run build");
  }
}

function print(results, agents, rounds) {
  console.log(`Transitions per second (${agents} agents, median of ${rounds} alternating rounds)\n`);
  console.log(
    `${"callers".padEnd(8)}${"latchkey".padStart(10)}${"replaced".padStart(10)}${"ratio".padStart(8)}`,
  );
  for (const [callers, { latchkey, replaced, ratio }] of Object.entries(results)) {
    const cells = [
      latchkey.toFixed(0).padStart(10),
      replaced.toFixed(0).padStart(10),
      ratio.toFixed(2).padStart(8),
    ];
    console.log(callers.padEnd(8) + cells.join(""));
  }
}

main().catch((error) => {
  console.error(`bench:replaced: ${error.message}`);
  process.exitCode = 1;
});
