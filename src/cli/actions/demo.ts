import type { Command } from "commander";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { settingsOf } from "../input/settings.js";
import { packageFile } from "../package-file.js";
import { connectionOptions } from "../session.js";
import { thisProgram } from "../shell-command.js";

/** Flags of `demo`. */
export interface DemoFlags {
  readonly agents: number;
  readonly replicas: number;
  readonly topology: "standalone" | "cluster";
  readonly keep: boolean;
}

/** The demo is a program of its own that uses the package as any other program does. It is built beside the CLI. */
interface DemoProgram {
  runDemo(options: object, stage: object): Promise<boolean>;
}

/** Runs the demo program on the server of the command line, or on one that it starts. */
export async function demo(command: Command, context: CliContext, flags: DemoFlags): Promise<void> {
  const settings = settingsOf(command, context);
  const { given, format } = settings;
  if (given.url !== undefined && flags.topology === "cluster")
    throw usageError("--topology starts servers, but --url names one: leave out one of the two");
  const signal = context.interruption();
  const server = given.url === undefined ? {} : { server: await connectionOptions(settings) };
  const { runDemo } = (await import(packageFile("dist/demo/main.js").href)) as DemoProgram;
  const isOk = await runDemo(
    { ...flags, ...server, format, command: thisProgram(), signal },
    {
      isLive: context.isTerminal && context.env.TERM !== "dumb",
      columns: context.columns,
      rows: process.stdout.rows ?? 24,
      paint: context.paint,
      write: (text: string) => context.write(text),
      note: (line: string) => context.note(line),
    },
  );
  if (!isOk) context.exitWith(EXIT.unexpected);
}
