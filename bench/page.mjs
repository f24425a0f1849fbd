// Compares a page of a list with one pipeline of the same reads: `npm run bench:page`, after `npm run build`.
//
//   node bench/page.mjs [--limit N] [--pages N] [--rounds N] [--json]
//
// It starts a server with ten times as many agents as a page has. Each round reads the first page again and again: with
// `listPage`, and with a pipeline of iovalkey of the definition, the index and each entity's hash, whose fields are parsed.
// CPU is that of this process, from process.cpuUsage. The result is the median of the rounds' ratios.
import os from "node:os";
import { parseArgs } from "node:util";
import { Valkey } from "iovalkey";

const STATE = "spawning";

/** Reads a page with two pipelines: the first one returns the ids for the second. */
async function pipelined(client, prefix, limit) {
  const index = client.pipeline();
  index.hmget(`${prefix}machine`, "definition", "states");
  index.zrangebyscore(`${prefix}index`, 0, 1e13 - 1, "WITHSCORES", "LIMIT", 0, limit + 1);
  const [[, [definition]], [, scored]] = await index.exec();
  JSON.parse(definition);
  const reads = client.pipeline();
  const ids = scored.filter((_, at) => at % 2 === 0);
  for (const id of ids) reads.hgetall(`${prefix}id:${id}`);
  const replies = await reads.exec();
  return replies.slice(0, limit).map(([, hash], at) => entityOf(ids[at], hash));
}

/** Parses the values of a hash as an application does that stores entities itself. */
function entityOf(id, hash) {
  const entity = { id };
  for (const [field, value] of Object.entries(hash)) {
    if (field.includes(":")) continue;
    entity[field] = field === "state" || field === "created" ? value : JSON.parse(value);
  }
  return entity;
}

/** Runs `work` this often, one after the other. @returns CPU and time of one run, in ms */
async function measure(times, work) {
  const cpu = process.cpuUsage();
  const started = performance.now();
  for (let time = 0; time < times; time += 1) await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / 1000 / times, time: (performance.now() - started) / times };
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

async function main() {
  const { values } = parseArgs({
    options: {
      limit: { type: "string", default: "100" },
      pages: { type: "string", default: "100" },
      rounds: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const [limit, pages, rounds] = [values.limit, values.pages, values.rounds].map(Number);
  if (![limit, pages, rounds].every((number) => number > 0))
    throw new Error("Options take positive numbers.");
  const { startValkey } = await import("../dist/testing/index.js");
  const { agent, connect } = await import("../dist/index.js");
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  const latchkey = await connect({ url: server.url });
  const measured = [];
  try {
    const agents = await latchkey.machine(agent());
    for (let made = 0; made < 10 * limit; made += 1)
      await agents.create(`agent-${made}`, { taskId: `task-${made}`, host: "replica-3", tries: made % 5 });
    const sides = {
      listPage: async () => (await agents.listPage({ state: STATE, limit })).items,
      pipeline: () => pipelined(client, `{${latchkey.namespace}:0}:agent:`, limit),
    };
    for (const read of Object.values(sides)) {
      if ((await read()).length !== limit) throw new Error("a page has another length");
      await measure(pages, read); // warm-up
    }
    for (let round = 0; round < rounds; round += 1) {
      const result = {};
      // The side that starts changes from round to round.
      const names = round % 2 === 0 ? ["listPage", "pipeline"] : ["pipeline", "listPage"];
      for (const name of names) result[name] = await measure(pages, sides[name]);
      measured.push(result);
    }
  } finally {
    await latchkey.close();
    client.disconnect();
    await server.stop();
  }
  const of = (side, unit) => median(measured.map((result) => result[side][unit]));
  const ratio = (unit) => median(measured.map(({ listPage, pipeline }) => listPage[unit] / pipeline[unit]));
  const load = os.loadavg()[0];
  const results = { limit, pages, rounds, load, cpuRatio: ratio("cpu"), timeRatio: ratio("time") };
  for (const side of ["listPage", "pipeline"])
    results[side] = { cpuMs: of(side, "cpu"), timeMs: of(side, "time") };
  if (values.json) return console.log(JSON.stringify(results, null, 2));
  console.log(
    `A page of ${limit} (median of ${rounds} alternating rounds of ${pages} pages, load ${load.toFixed(1)})\n`,
  );
  console.log(`${"".padEnd(10)}${"CPU".padStart(9)}${"time".padStart(9)}`);
  for (const side of ["listPage", "pipeline"]) {
    const { cpuMs, timeMs } = results[side];
    console.log(
      `${side.padEnd(10)}${`${cpuMs.toFixed(2)} ms`.padStart(9)}${`${timeMs.toFixed(2)} ms`.padStart(9)}`,
    );
  }
  console.log(
    `${"ratio".padEnd(10)}${results.cpuRatio.toFixed(2).padStart(9)}${results.timeRatio.toFixed(2).padStart(9)}`,
  );
}

main().catch((error) => {
  console.error(`bench:page: ${error.message}`);
  process.exitCode = 1;
});
