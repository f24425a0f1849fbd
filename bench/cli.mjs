// Compares the CPU time of commands with that of an empty Node: `npm run bench:cli`, after `npm run build`.
//
//   node bench/cli.mjs [--rounds N] [--json]
//
// It starts a server. Each round runs `node -e 0`, the client alone and some commands. CPU is that of the process, user and
// system, as the shell's `times` reports it. The results are medians, and medians of the rounds' ratios to `node -e 0`.
import { spawnSync } from "node:child_process";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = "bin/latchkey.js";
const SIDES = {
  "node -e 0": ["-e", "0"],
  "node -e \"require('iovalkey')\"": ["-e", "require('iovalkey')"],
  "latchkey --version": [PROGRAM, "--version"],
  "latchkey --help": [PROGRAM, "--help"],
  "latchkey get a1": [PROGRAM, "get", "a1"],
  "latchkey get a1 -o json": [PROGRAM, "get", "a1", "-o", "json"],
  "latchkey list": [PROGRAM, "list"],
  "latchkey transition a1 running": [PROGRAM, "transition", "a1", "running", "--force", "--reason", "bench"],
};
const EMPTY = "node -e 0";

/** The shell counts in steps of 10 ms. */
const REPEATS = 3;

/** Runs Node a few times. @returns the CPU time of one run in ms */
function cpuOf(words, env) {
  const line = `for _ in ${"x ".repeat(REPEATS)}; do "$@" >/dev/null || exit; done; times`;
  const { status, stdout, stderr } = spawnSync("sh", ["-c", line, "sh", process.execPath, ...words], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${words.join(" ")} failed: ${stderr}`);
  // The second line is about children: user, then system, each as 0m0.123s.
  const [, children = ""] = stdout.trim().split("\n");
  const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  const ms = times.map(([, minutes, seconds]) => (Number(minutes) * 60 + Number(seconds)) * 1000);
  return ms.reduce((sum, one) => sum + one, 0) / REPEATS;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

async function main() {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "9" }, json: { type: "boolean", default: false } },
  });
  const rounds = Number(values.rounds);
  if (!(rounds > 0)) throw new Error("--rounds takes a positive number.");
  const { startValkey } = await import("../dist/testing/index.js");
  const { agent, connect } = await import("../dist/index.js");
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const measured = Object.fromEntries(Object.keys(SIDES).map((name) => [name, []]));
  try {
    const latchkey = await connect({ url: server.url });
    await (await latchkey.machine(agent())).create("a1", { taskId: "t1" });
    await latchkey.close();
    const env = { LATCHKEY_URL: server.url };
    for (let round = 0; round < rounds; round += 1)
      for (const [name, words] of Object.entries(SIDES)) measured[name].push(cpuOf(words, env));
  } finally {
    await server.stop();
  }
  const results = Object.entries(measured).map(([name, times]) => ({
    name,
    cpuMs: median(times),
    ratio: median(times.map((ms, at) => ms / measured[EMPTY][at])),
  }));
  const load = os.loadavg()[0];
  if (values.json) return console.log(JSON.stringify({ rounds, load, results }, null, 2));
  console.log(`CPU time of a command (median of ${rounds} rounds, load ${load.toFixed(1)})\n`);
  for (const { name, cpuMs, ratio } of results)
    console.log(`${name.padEnd(34)}${cpuMs.toFixed(0).padStart(6)} ms${ratio.toFixed(2).padStart(7)}`);
}

main().catch((error) => {
  console.error(`bench:cli: ${error.message}`);
  process.exitCode = 1;
});
