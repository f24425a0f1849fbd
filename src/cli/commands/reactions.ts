import type { Command } from "commander";
import type { LetterFlags } from "../actions/reactions-retry.js";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey reactions` and its subcommands. */
export function register(program: Command, context: CliContext): void {
  const reactions = program
    .command("reactions")
    .description("list the reactions of a machine: lag, pending events, replicas, dead letters")
    .action(listener(context, async () => (await import("../actions/reactions-list.js")).listReactions));
  withFormats(reactions, "table", "json", "jsonl", "yaml", "name");

  const dead = reactions
    .command("dead <reaction>")
    .description("list the dead letters: the event, the number of attempts and the last error")
    .action(listener(context, async () => (await import("../actions/reactions-dead.js")).listDeadLetters));
  withFormats(dead, "table", "wide", "json", "jsonl", "yaml", "name");
  withExamples(dead, "latchkey reactions dead cleanup", "latchkey reactions dead cleanup -o name");

  const pending = reactions
    .command("pending <reaction>")
    .description("list the events that are being handled, wait for a retry, or wait for an earlier event")
    .action(
      listener(context, async () => (await import("../actions/reactions-pending.js")).listPendingEvents),
    );
  withFormats(pending, "table", "wide", "json", "jsonl", "yaml", "name");
  withExamples(pending, "latchkey reactions pending cleanup", "latchkey reactions pending cleanup -o wide");

  for (const [verb, description] of [
    ["retry", "deliver dead letters again; each stays until it is handled"],
    ["drop", "remove dead letters permanently"],
  ] as const) {
    const command = reactions
      .command(`${verb} <reaction> [letters...]`)
      .description(description)
      .option("--all", "all dead letters of the reaction")
      .action(async (name: string, ids: string[], flags: LetterFlags) => {
        const { changeDeadLetters } = await import("../actions/reactions-retry.js");
        await changeDeadLetters(context, settingsOf(command, context), name, verb, ids, flags);
      });
    withFormats(command, "name", "json");
    withExamples(
      command,
      `latchkey reactions ${verb} cleanup --all`,
      `latchkey reactions ${verb} cleanup 0:1763807223197-0`,
    );
  }

  const forget = reactions
    .command("forget <reaction>")
    .description("remove everything that the server stores about a reaction that no replica runs")
    .option("--force", "discard its pending events and dead letters too")
    .action(listener(context, async () => (await import("../actions/reactions-forget.js")).forgetReaction));
  withFormats(forget, "table", "json", "yaml", "name");
  withExamples(
    forget,
    "latchkey reactions forget cleanup",
    "latchkey reactions forget cleanup --force -o json",
  );

  withExamples(reactions, "latchkey reactions", "latchkey reactions -o json");
}
