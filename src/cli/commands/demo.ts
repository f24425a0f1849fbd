import { type Command, Option } from "commander";
import { type DemoFlags, demo } from "../actions/demo.js";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { wholeNumber } from "../input/option-values.js";

/** Adds `demo`: replicas race over real processes, first without latchkey and then with it. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("demo")
    .summary("race replicas over real processes, kill one of them, and check every transition")
    .description(
      "Starts a server and several orchestrator replicas, each a process of its own. They run real processes as agents: " +
        "most finish, some fail, an operator kills some. Every replica attempts to record every change.\n\n" +
        "The first race uses the common way: a mutex in each process, GET, SET and PUBLISH. The demo counts its races. " +
        "The second race uses latchkey. In the middle one replica is killed. The leases of its agents expire, and the " +
        "other replicas record that. The demo then checks from outside that every transition was won once.\n\n" +
        "With --topology cluster the demo starts three primaries and three replicas, and kills a primary as well. Its " +
        "replica takes over, and no acknowledged change is lost.\n\n" +
        "With --url the demo runs on that server, in a namespace of its own, which it removes afterwards. It ignores " +
        "--namespace, --machine and the server URLs in the environment.",
    )
    .option("--agents <n>", "number of processes, 1 to 10000", wholeNumber(1, 10_000), 200)
    .option("--replicas <n>", "number of replicas, 2 to 16", wholeNumber(2, 16), 3)
    .addOption(
      new Option("--topology <topology>", "servers to start; a primary of the cluster is killed too")
        .choices(["standalone", "cluster"])
        .default("standalone"),
    )
    .option(
      "--keep",
      "keep the server until Ctrl-C (with --url: keep the keys), to look at the agents",
      false,
    )
    .action(async (flags: DemoFlags) => demo(command, context, flags));
  withFormats(command, "table", "json");
  withExamples(
    command,
    "latchkey demo",
    "latchkey demo --keep",
    "latchkey demo --topology cluster",
    "latchkey demo --agents 1000 --replicas 5",
    "latchkey demo --url valkey://localhost:6379 -o json",
  );
}
