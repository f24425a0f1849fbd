import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import type { CliContext } from "./context.js";
import { EXIT_MEANINGS } from "./exit-codes.js";
import { packageFile } from "./package-file.js";

interface CommandFile {
  register(program: Command, context: CliContext): void;
}

/** The file of each command, in the order of the help. */
const COMMANDS: Readonly<Record<string, Readonly<Record<string, () => Promise<CommandFile>>>>> = {
  Machines: {
    init: () => import("./commands/init.js"),
    apply: () => import("./commands/apply.js"),
    machines: () => import("./commands/machines.js"),
    graph: () => import("./commands/graph.js"),
  },
  Entities: {
    create: () => import("./commands/create.js"),
    get: () => import("./commands/get.js"),
    list: () => import("./commands/list.js"),
    count: () => import("./commands/count.js"),
    stats: () => import("./commands/stats.js"),
    history: () => import("./commands/history.js"),
    wait: () => import("./commands/wait.js"),
    events: () => import("./commands/events.js"),
    reactions: () => import("./commands/reactions.js"),
    transition: () => import("./commands/transition.js"),
    patch: () => import("./commands/patch.js"),
    heartbeat: () => import("./commands/heartbeat.js"),
    sweep: () => import("./commands/sweep.js"),
    remove: () => import("./commands/remove.js"),
    restore: () => import("./commands/restore.js"),
    import: () => import("./commands/import.js"),
  },
  "Servers and scripts": {
    doctor: () => import("./commands/doctor.js"),
    acl: () => import("./commands/acl.js"),
    fsck: () => import("./commands/fsck.js"),
    dev: () => import("./commands/dev.js"),
    demo: () => import("./commands/demo.js"),
    lua: () => import("./commands/lua.js"),
    completion: () => import("./commands/completion.js"),
    __complete: () => import("./commands/complete.js"),
  },
};

/** Commands that need all the others. */
const ABOUT_ALL = ["help", "__complete"];

/**
 * Builds the command line: only the commands that the words name, or all of them. Each module costs about a millisecond
 * to load, so a command loads its action when it runs.
 *
 * @param words the arguments of the program
 * @param onNoColour called if `--no-color` is given
 */
export async function buildProgram(
  context: CliContext,
  words: readonly string[],
  onNoColour: () => void,
): Promise<Command> {
  const program = new Command("latchkey")
    .description("Lifecycle state of agents, tasks and runs in Valkey. Each change is one atomic Lua script.")
    .usage("<command> [id] [state] [options]")
    .option("-m, --machine <name>", "machine (default: LATCHKEY_MACHINE, then agent)")
    .option("--url <url>", "server (default: LATCHKEY_URL, VALKEY_URL, then valkey://127.0.0.1:6379)")
    .option("--namespace <name>", "prefix of all keys (default: LATCHKEY_NAMESPACE, then latchkey)")
    .option(
      "--password-file <file>",
      "read the password from FILE (default: the password in LATCHKEY_PASSWORD)",
    )
    .option(
      "--tls-ca-file <file>",
      "trust the authorities in FILE (default: LATCHKEY_TLS_CA_FILE, then those of Node)",
    )
    .option("--tls-cert-file <file>", "certificate of this client (default: LATCHKEY_TLS_CERT_FILE)")
    .option("--tls-key-file <file>", "private key of the certificate (default: LATCHKEY_TLS_KEY_FILE)")
    .option(
      "--tls-server-name <name>",
      "name on the certificate of the server (default: LATCHKEY_TLS_SERVER_NAME, then the host)",
    )
    .option(
      "--timeout <duration>",
      "time limit of connecting and of each request, retries included: 500ms, 30s, 2m (default: LATCHKEY_TIMEOUT, then 5s)",
    )
    .option("-o, --output <format>", "output format (default: the first that the command lists)")
    .option("--no-color", "no colours; the same as NO_COLOR=1")
    .option("-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .addHelpCommand(
      new Command("help")
        .argument("[command]")
        .helpOption(false)
        .description("show help for a command")
        .helpGroup("Servers and scripts:"),
    )
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
    // main() reports usage errors, with all others.
    writeErr: () => {},
  });
  program.on("option:no-color", onNoColour);
  program.on("option:version", () => {
    void context.write(`${versionText()}\n`);
    throw new CommanderError(0, "commander.version", "");
  });
  for (const [title, files] of await commandFiles(words)) {
    program.commandsGroup(title);
    for (const file of files) file.register(program, context);
  }
  return program;
}

async function commandFiles(words: readonly string[]): Promise<[title: string, files: CommandFile[]][]> {
  const typed = new Set(words);
  const named = new Set(
    Object.values(COMMANDS)
      .flatMap(Object.keys)
      .filter((name) => typed.has(name)),
  );
  const isAll = named.size === 0 || ABOUT_ALL.some((name) => typed.has(name));
  return Promise.all(
    Object.entries(COMMANDS).map(async ([title, group]): Promise<[string, CommandFile[]]> => {
      const wanted = Object.entries(group).filter(([name]) => isAll || named.has(name));
      return [`${title}:`, await Promise.all(wanted.map(([, load]) => load()))];
    }),
  );
}

function versionText(): string {
  const manifest: unknown = JSON.parse(readFileSync(packageFile("package.json"), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
