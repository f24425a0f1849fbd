import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { withExamples, withFormats } from "../input/formats.js";
import { wholeNumber } from "../input/option-values.js";
import { settingsOf } from "../input/settings.js";
import { connectionOptions } from "../session.js";
import { thisProgram } from "../shell-command.js";

interface DemoFlags {
  readonly agents: number;
  readonly replicas: number;
}

/** `demo`: several replicas race over real processes, one of them is killed, and every transition is checked. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("demo")
    .summary("let replicas race over real processes, kill one of them, and check every transition")
    .description(
      "Starts a server of its own and several orchestrator replicas, each a process. Together they run real processes " +
        "as agents: most finish, some fail, some are killed by an operator. Every replica tries to record everything. " +
        "In the middle one replica is killed; the leases of its agents run out, and the others record that. At the end " +
        "it is checked from outside that each transition was won once. Exits with 0 only if all of it holds. " +
        "With --url it runs on that server, in a namespace of its own that is removed afterwards; the environment's " +
        "URLs, --namespace and --machine do not count.",
    )
    .option("--agents <n>", "how many processes to run, 1 to 10000", wholeNumber(1, 10_000), 200)
    .option("--replicas <n>", "how many replicas race, 2 to 16", wholeNumber(2, 16), 3)
    .action(async (flags: DemoFlags) => demo(command, context, flags));
  withFormats(command, "table", "json");
  withExamples(
    command,
    "latchkey demo",
    "latchkey demo --agents 1000 --replicas 5",
    "latchkey demo --url valkey://localhost:6379 -o json",
  );
}

async function demo(command: Command, context: CliContext, { agents, replicas }: DemoFlags): Promise<void> {
  const settings = settingsOf(command, context);
  const { given, format } = settings;
  const signal = context.interruption();
  const [{ runDemo }, { liveShow, noShow, plainShow, verdictText }] = await Promise.all([
    import("../demo/run.js"),
    import("../demo/show.js"),
  ]);
  const isLive = context.isTerminal && context.env.TERM !== "dumb";
  const onTerminal = isLive ? liveShow(context, process.stdout.rows ?? 24) : plainShow(context);
  const show = format === "json" ? noShow(context) : onTerminal;
  const server = given.url === undefined ? {} : { server: await connectionOptions(settings) };
  const running = runDemo({ agents, replicas, ...server, signal }, show);
  const giveWay = (): void => {
    show.end();
    context.note("interrupted: taking everything down");
  };
  signal.addEventListener("abort", giveWay, { once: true });
  const report = await running.finally(() => show.end());
  if (format === "json") await context.write(`${JSON.stringify(report)}\n`);
  else await context.write(verdictText(report, context) + (report.ok ? nextCommands() : ""));
  if (!report.ok) context.exitWith(EXIT.unexpected);
}

function nextCommands(): string {
  const command = thisProgram();
  return [
    "Next:",
    `  ${command} dev                  keep a server, and type commands`,
    `  ${command} demo --agents 1000   a longer race`,
    `  ${command} graph                the machine that judged it`,
    "",
  ].join("\n");
}
