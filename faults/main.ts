import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Topology } from "./fault.js";
import { faults } from "./kinds/registry.js";
import { expectWritable } from "./run/history-path.js";
import { INTERRUPTED, Interrupted, Interruption } from "./run/interruption.js";
import { judge } from "./run/judge.js";
import { run } from "./run/run.js";
import { summary } from "./run/summary.js";

// The program `npm run faults -- --help`.

interface Flags {
  readonly ops: number;
  readonly faults?: number;
  readonly seed?: number;
  readonly topology: Topology;
  readonly nodeTimeout: number;
  readonly only?: readonly string[];
  readonly history?: string;
  readonly list?: boolean;
  readonly allowUnavailable?: boolean;
}

const NODE_TIMEOUT_MS = 2_500;

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be an integer.");
  return Number(text);
}

function wordsOf(text: string): string[] {
  const words = text.split(",").map((word) => word.trim());
  if (words.includes("")) throw new InvalidArgumentError("It has an empty word.");
  return words;
}

const program = new Command("npm run faults --")
  .description(
    "Runs clients of latchkey against real servers, injects faults, and checks everything that happened.\n" +
      "Exit status: 0 passed; 1 failed (a guarantee was broken, or could not be checked because a fault is " +
      "unavailable here); 2 invalid usage; 130 interrupted.",
  )
  .option("--ops <n>", "minimum number of calls", whole, 20_000)
  .option(
    "--faults <n>",
    "number of injections, distributed over all faults (default: each fault once)",
    whole,
  )
  .option("--seed <n>", "seed of all random choices (default: another one for each run)", whole)
  .addOption(
    new Option("--topology <name>", "servers")
      .choices(["standalone", "sentinel", "cluster"])
      .default("standalone"),
  )
  .option(
    "--node-timeout <ms>",
    "cluster-node-timeout; a busy machine must not cause failovers by itself",
    whole,
    NODE_TIMEOUT_MS,
  )
  .option("--only <text>", "only faults whose names contain this text (F1, kill); comma-separated", wordsOf)
  .option(
    "--allow-unavailable",
    "pass although kinds of faults are unavailable here (no C compiler, no python3)",
  )
  .option("--history <file>", "path of the history (default: a file in the folder for temporary files)")
  .option("--list", "print the faults of the topology, and exit")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

async function main(): Promise<number> {
  const interruption = new Interruption();
  const {
    ops,
    topology,
    nodeTimeout,
    only,
    list,
    allowUnavailable = false,
    ...flags
  } = program.parse().opts<Flags>();
  const seed = flags.seed ?? Date.now() % 1_000_000;
  const words = only?.map((word) => word.toLowerCase());
  const isChosen = (name: string): boolean =>
    words?.some((word) => `${name.toLowerCase()} `.includes(/^f\d+$/.test(word) ? `${word} ` : word)) ?? true;
  const chosen = faults.filter(({ name, topologies }) => topologies.includes(topology) && isChosen(name));
  if (list === true) {
    for (const { name } of chosen) console.log(name);
    return 0;
  }
  const injections = flags.faults ?? chosen.length;
  if (chosen.length === 0 && (injections > 0 || only !== undefined))
    program.error(`error: ${topology} has no fault named ${only?.join(", ")}`);
  if (injections > 0 && injections < chosen.length) {
    program.error(
      `error: ${injections} injections are too few for ${chosen.length} faults; raise --faults or use --only`,
    );
  }
  const history = flags.history ?? join(tmpdir(), `latchkey-faults-${topology}-${seed}.jsonl`);
  const timed = `${history.replace(/\.jsonl$/, "")}.time.jsonl`;
  for (const path of [history, timed]) {
    await expectWritable(path).catch((error: Error) => program.error(`error: ${error.message}`));
  }
  const command = [
    `npm run faults -- --ops ${ops} --faults ${injections} --seed ${seed} --topology ${topology}`,
    ...(nodeTimeout === NODE_TIMEOUT_MS ? [] : [`--node-timeout ${nodeTimeout}`]),
    ...(only === undefined ? [] : [`--only "${only.join(",")}"`]),
    ...(allowUnavailable ? ["--allow-unavailable"] : []),
  ].join(" ");
  const files = { history, timed };
  const options = {
    topology,
    nodeTimeoutMs: nodeTimeout,
    operations: ops,
    injections,
    seed,
    faults: chosen,
    ...files,
    command,
    allowUnavailable,
  };
  const result = await run(options, interruption);
  const verdict = await interruption.race(judge(history, timed));
  const { text, isPassed } = summary(options, result, verdict);
  console.log(text);
  return isPassed ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    if (error instanceof Interrupted) {
      console.error(error.message);
      process.exit(INTERRUPTED);
    }
    console.error(error);
    process.exitCode = 1;
  },
);
