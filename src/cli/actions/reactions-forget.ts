import { ReactionInUseError } from "../../errors/reaction-in-use-error.js";
import type { ForgottenReaction } from "../../reactions/forget.js";
import { CliError } from "../cli-error.js";
import type { ForgetFlags } from "../commands/reactions.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { writeDocument } from "../output/documents.js";
import { placeOptions } from "../output/next-steps.js";
import { type Column, tableText } from "../output/table.js";
import { withEntities } from "../session.js";
import { shellCommand } from "../shell-command.js";
import { noReaction } from "./known-reaction.js";

/**
 * Removes a reaction, and shows what was removed.
 *
 * @throws CliError NOTFOUND where there is none, INUSE where replicas live, or something would be thrown away unforced
 */
export async function forgetReaction(
  context: CliContext,
  settings: Settings,
  name: string,
  { force = false }: ForgetFlags,
): Promise<void> {
  await withEntities(settings, async (entities) => {
    const forgotten = await entities.forgetReaction(name, { force }).catch((error: unknown) => {
      throw error instanceof ReactionInUseError ? explained(error, settings, force) : error;
    });
    if (forgotten === null) throw await noReaction(entities, settings, name);
    if (settings.format === "table") await context.write(tableText(COLUMNS, [forgotten]));
    else {
      const text = JSON.stringify(forgotten);
      await writeDocument(context, settings.format, { machine: entities.name, id: name, text });
    }
  });
}

const COLUMNS: readonly Column<ForgottenReaction>[] = [
  { title: "FORGOTTEN", value: ({ name }) => name },
  { title: "LAG", value: ({ lag }) => (lag === undefined ? undefined : String(lag)) },
  { title: "PENDING", value: ({ pending }) => String(pending) },
  { title: "CONSUMERS", value: ({ consumers }) => String(consumers) },
  { title: "DEAD", value: ({ deadLetters }) => String(deadLetters) },
];

function explained(error: ReactionInUseError, settings: Settings, isForced: boolean): CliError {
  const { message, problem, reaction, replicas, pending, deadLetters } = error;
  const options = placeOptions(settings);
  const isLiving = problem === "LIVING";
  const hint = isLiving
    ? shellCommand("reactions", [], options)
    : deadLetters > 0
      ? shellCommand("reactions", ["dead", reaction], options)
      : shellCommand("reactions", ["forget", reaction], ["--force", ...options]);
  return new CliError(
    "INUSE",
    message,
    {
      lines:
        isLiving && isForced ? ["--force throws away what is unfinished; it does not stop replicas"] : [],
      hint,
      facts: {
        problem: JSON.stringify(problem),
        replicas: JSON.stringify(replicas),
        pending: JSON.stringify(pending),
        deadLetters: JSON.stringify(deadLetters),
      },
    },
    error,
  );
}
