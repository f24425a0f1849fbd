import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey import`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("import")
    .summary("import entities from another store")
    .description(
      "Imports entities from another store, with their times. Name one source. It never changes or deletes anything in the " +
        "source. You can run it repeatedly: it skips imported agents and imports new ones.",
    )
    .option(
      "--from-service [pattern]",
      "source: the agents of the in-process AgentLifecycleService, one JSON value per key; " +
        "* stands for the ID (default: orchestrator:agent:*)",
    )
    .option("--source-url <url>", "server of the source (default: that of --url)")
    .option("--source-password-file <file>", "read the password for --source-url from FILE")
    .option("--include-removed", "also import agents that were removed here after an import")
    .option("--actor <text>", "who imports (default: cli:<user>@<host>)")
    .option("--dry-run", "print what would be imported; write nothing")
    .action(listener(context, async () => (await import("../actions/import.js")).importEntities));
  withFormats(command, "table", "json", "jsonl");
  withExamples(
    command,
    "latchkey import --from-service --dry-run",
    "latchkey import --from-service",
    "latchkey import --from-service 'myapp:agent:*' --source-url valkey://old-host:6379/2 -o jsonl",
  );
}
