// What each script costs beside the bare commands it issues: `npm run bench:script-cost`, after `npm run build`.
//
//   node bench/script-cost.mjs [--entities N] [--rounds N] [--json] [--check]
//
// It starts a server of its own. Server time per call is the server's own count (INFO commandstats, evalsha). The
// yardstick is a script of the same commands with constant arguments and the same reply, on entities of the same kind;
// that both issue the same commands is checked by the server's counts. Rounds of both alternate, and the ratio is the
// median of the rounds' ratios. --check fails when a transition costs more than 1.75 times its commands.
import { parseArgs } from "node:util";
import { Valkey } from "iovalkey";
import { batch, prepareSides } from "./script-cost/sides.mjs";

const BUDGET = { operation: "transition", ratio: 1.75 };
const IN_FLIGHT = 200;

/** Sends a batch and returns the server's counts: the time of a call in microseconds, and the calls by command. */
async function measure(client, { size, before, call, after }) {
  await before();
  await client.config("RESETSTAT");
  for (let sent = 0; sent < size; sent += IN_FLIGHT) {
    const calls = Array.from({ length: Math.min(IN_FLIGHT, size - sent) }, (_, i) => call(sent + i));
    const refused = (await Promise.all(calls)).find(([outcome]) => outcome !== "OK");
    if (refused !== undefined) throw new Error(`A measured call was rejected: ${refused}`);
  }
  const info = await client.info("commandstats");
  await after();
  const counts = {};
  let time = Number.NaN;
  for (const [, command, calls, usec] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
    if (command === "evalsha") time = Number(usec) / Number(calls);
    else if (!/^(config|info)/.test(command)) counts[command] = Number(calls) / size;
  }
  return { time, counts };
}

async function compare(client, sides, operation, rounds, entities) {
  const size = operation === "apply" ? 20 : Math.min(250, entities);
  const results = [];
  let counts = {};
  for (let round = 0; round < rounds; round += 1) {
    const measured = {};
    // The one that starts changes from round to round.
    for (const name of round % 2 === 0 ? ["script", "native"] : ["native", "script"]) {
      measured[name] = await measure(client, batch(client, sides[name], operation, round, size, entities));
    }
    const { script, native } = measured;
    counts = script.counts;
    const [ours, theirs] = [script, native].map((side) => JSON.stringify(Object.entries(side.counts).sort()));
    if (ours !== theirs) throw new Error(`${operation}: the yardstick issues ${theirs}, the script ${ours}`);
    results.push({ script: script.time, native: native.time, ratio: script.time / native.time });
  }
  const middle = (name) => results.map((result) => result[name]).sort((a, b) => a - b)[rounds >> 1];
  return { script: middle("script"), native: middle("native"), ratio: middle("ratio"), commands: counts };
}

async function main() {
  const { values } = parseArgs({
    options: {
      entities: { type: "string", default: "10000" },
      rounds: { type: "string", default: "81" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
    },
  });
  const entities = whole("entities", values.entities, 100);
  const rounds = whole("rounds", values.rounds, 1);
  const { scripts, startValkey } = await built();
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  const results = {};
  try {
    const sides = await prepareSides(client, scripts, entities);
    for (const operation of Object.keys(scripts).sort((a, b) => (a === "apply") - (b === "apply"))) {
      results[operation] = await compare(client, sides, operation, rounds, entities);
    }
  } finally {
    client.disconnect();
    await server.stop();
  }
  if (values.json) console.log(JSON.stringify({ entities, rounds, operations: results }, null, 2));
  else print(results, entities, rounds);
  const { ratio } = results[BUDGET.operation];
  if (values.check && ratio > BUDGET.ratio) {
    const line = `${BUDGET.operation} costs ${ratio.toFixed(2)} times its commands; the budget is ${BUDGET.ratio}.`;
    console.error(`bench:script-cost: ${line}`);
    process.exitCode = 1;
  }
}

function whole(name, text, least) {
  if (/^\d{1,7}$/.test(text) && Number(text) >= least) return Number(text);
  throw new Error(`--${name} takes a whole number from ${least} to 9999999.`);
}

async function built() {
  try {
    const [{ scripts }, { startValkey }] = await Promise.all([
      import("../dist/lua/index.js"),
      import("../dist/testing/index.js"),
    ]);
    return { scripts, startValkey };
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error("dist is not built. Run: npm run build");
  }
}

function print(results, entities, rounds) {
  console.log(
    `Server time per call, microseconds (${entities} entities, median of ${rounds} alternating rounds)\n`,
  );
  console.log(
    `${"".padEnd(12)}${"script".padStart(8)}${"its commands alone".padStart(21)}${"ratio".padStart(8)}`,
  );
  for (const [operation, { script, native, ratio }] of Object.entries(results)) {
    const cells = [
      script.toFixed(1).padStart(8),
      native.toFixed(1).padStart(21),
      ratio.toFixed(2).padStart(8),
    ];
    console.log(operation.padEnd(12) + cells.join(""));
  }
}

main().catch((error) => {
  console.error(`bench:script-cost: ${error.message}`);
  process.exitCode = 1;
});
