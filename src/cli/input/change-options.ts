import type { Command } from "commander";
import { collect, collectPairs, fieldValue, wholeNumber } from "./option-values.js";

const SEEN =
  "position of the event log before the first attempt; a retry with it and --op never takes effect twice";

/** Adds the options that all changes share. */
export function withChangeOptions(command: Command, seen = SEEN): Command {
  return command
    .option(
      "--op <id>",
      "idempotency key: a retry has no effect while the entity remembers its last 32 changes",
    )
    .option("--seen <position>", seen)
    .option("--actor <text>", "who makes the change (default: cli:<user>@<host>)")
    .option("--reason <text>", "why; stored in the history")
    .option("--dry-run", "print what would change; write nothing")
    .option("--error-unchanged", "exit 3 if the change with this --op was already applied");
}

/** Adds the conditions of a change. */
export function withConditions(command: Command): Command {
  return command
    .option("--if-version <n>", "expected version; exit 6 if the version differs", wholeNumber(0))
    .option("--if-state <state>", "expected state; exit 6 if the state differs");
}

/** Adds `--set`. */
export function withSet(command: Command): Command {
  const text = "set a field; JSON if the value parses, otherwise text (repeatable)";
  return command.option("--set <field=value>", text, collectPairs("field=value", fieldValue));
}

/** Adds `--unset`. */
export function withUnset(command: Command): Command {
  return command.option("--unset <field>", "remove a field (repeatable)", collect);
}
