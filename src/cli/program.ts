import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import * as apply from "./apply.js";
import * as complete from "./complete.js";
import * as completion from "./completion.js";
import type { CliContext } from "./context.js";
import * as count from "./count.js";
import * as create from "./create.js";
import * as demo from "./demo.js";
import * as dev from "./dev.js";
import * as events from "./events.js";
import { EXIT_MEANINGS } from "./exit-codes.js";
import * as get from "./get.js";
import * as graph from "./graph.js";
import * as history from "./history.js";
import * as init from "./init.js";
import * as list from "./list.js";
import * as lua from "./lua.js";
import * as machines from "./machines.js";
import * as patch from "./patch.js";
import * as remove from "./remove.js";
import * as transition from "./transition.js";

const COMMANDS = [
  ["Machines", [init, apply, machines, graph]],
  ["Entities", [create, get, list, count, history, events, transition, patch, remove]],
  ["Servers and scripts", [dev, demo, lua, completion, complete]],
] as const;

/**
 * Builds the command line. Commands load what they need only when they run, so that help and completion stay fast.
 *
 * @param onNoColour called where `--no-color` is given
 */
export function buildProgram(context: CliContext, onNoColour: () => void): Command {
  const program = new Command("latchkey")
    .description("Lifecycle state of agents, tasks and runs in Valkey: every change is one atomic script.")
    .usage("<command> [id] [state] [options]")
    .option("-m, --machine <name>", "the machine (default: LATCHKEY_MACHINE, else agent)")
    .option("--url <url>", "the server (default: LATCHKEY_URL, VALKEY_URL, else valkey://127.0.0.1:6379)")
    .option("--namespace <name>", "prefix of all keys (default: LATCHKEY_NAMESPACE, else latchkey)")
    .option("--password-file <file>", "holds the password (default: LATCHKEY_PASSWORD)")
    .option("-o, --output <format>", "output format; the first that a command lists is its default")
    .option("--no-color", "no colours, as with NO_COLOR")
    .option("-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      "after",
      `
Exit codes:
${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`).join("\n")}

Examples:
  latchkey apply
  latchkey create a1 --set taskId=t1
  latchkey transition a1 running --reason "picked up"
  latchkey get a1`,
    );
  program.configureOutput({
    writeOut: (text) => void context.write(text),
    // What was typed wrong is reported where all errors are.
    writeErr: () => {},
  });
  program.on("option:no-color", onNoColour);
  program.on("option:version", () => {
    void context.write(`${versionText()}\n`);
    throw new CommanderError(0, "commander.version", "");
  });
  for (const [title, group] of COMMANDS) {
    program.commandsGroup(`${title}:`);
    for (const { register } of group) register(program, context);
  }
  return program;
}

function versionText(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
