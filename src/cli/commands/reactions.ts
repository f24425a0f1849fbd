import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Which dead letters, as it was typed. */
export interface LetterFlags {
  readonly all?: boolean;
}

/** How a reaction is forgotten, as it was typed. */
export interface ForgetFlags {
  readonly force?: boolean;
}

/** `latchkey reactions`: how far reactions have come, and what they gave up. */
export function register(program: Command, context: CliContext): void {
  const reactions = program
    .command("reactions")
    .description("how far each reaction has come, and its dead letters")
    .action(async () => {
      const { showReactions } = await import("../actions/reactions-list.js");
      await showReactions(context, settingsOf(reactions, context));
    });
  withFormats(reactions, "table", "json", "jsonl", "yaml", "name");
  const letters = () => import("../actions/reactions-dead.js");

  const dead = reactions
    .command("dead <reaction>")
    .description("events that were given up: how often they were tried, and why")
    .action(async (name: string) =>
      (await letters()).showDeadLetters(context, settingsOf(dead, context), name),
    );
  withFormats(dead, "table", "wide", "json", "jsonl", "yaml", "name");
  withExamples(dead, "latchkey reactions dead cleanup", "latchkey reactions dead cleanup -o name");

  const retry = reactions
    .command("retry <reaction> [letters...]")
    .description("give dead letters back to the reaction; each stays until it is handled")
    .option("--all", "all of them")
    .action(async (name: string, ids: string[], flags: LetterFlags) =>
      (await letters()).changeDeadLetters(context, settingsOf(retry, context), name, {
        verb: "retry",
        ids,
        ...flags,
      }),
    );
  withFormats(retry, "name", "json");
  withExamples(
    retry,
    "latchkey reactions retry cleanup --all",
    "latchkey reactions retry cleanup 0:1763807223197-0",
  );

  const drop = reactions
    .command("drop <reaction> [letters...]")
    .description("remove dead letters for good")
    .option("--all", "all of them")
    .action(async (name: string, ids: string[], flags: LetterFlags) =>
      (await letters()).changeDeadLetters(context, settingsOf(drop, context), name, {
        verb: "drop",
        ids,
        ...flags,
      }),
    );
  withFormats(drop, "name", "json");
  withExamples(
    drop,
    "latchkey reactions drop cleanup --all",
    "latchkey reactions drop cleanup 0:1763807223197-0",
  );

  const forget = reactions
    .command("forget <reaction>")
    .description("remove all that is kept of a reaction of which no replica lives")
    .option("--force", "throw its unfinished events and dead letters away too")
    .action(async (name: string, flags: ForgetFlags) => {
      const { forgetReaction } = await import("../actions/reactions-forget.js");
      await forgetReaction(context, settingsOf(forget, context), name, flags);
    });
  withFormats(forget, "table", "json", "yaml", "name");
  withExamples(
    forget,
    "latchkey reactions forget cleanup",
    "latchkey reactions forget cleanup --force -o json",
  );

  withExamples(reactions, "latchkey reactions", "latchkey reactions -o json");
}
