import { ReactionInUseError } from "../../errors/reaction-in-use-error.js";
import type { ForgetOptions, ForgottenReaction } from "../../reactions/forget.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeResult } from "../output/documents.js";
import { type Column, tableText } from "../output/table.js";
import { withEntities } from "../session.js";
import { commandFor } from "../shell-command.js";
import { unknownReaction } from "./reactions-list.js";

/**
 * Removes a reaction and prints a summary.
 *
 * @throws CliError NOTFOUND if there is no such reaction; INUSE if replicas of it are alive, or if `--force` is absent
 * and pending events or dead letters would be discarded
 */
export async function forgetReaction(
  context: CliContext,
  settings: Settings,
  name: string,
  { force = false }: ForgetOptions,
): Promise<void> {
  await withEntities(settings, async (entities) => {
    const forgotten = await entities.forgetReaction(name, { force }).catch((error: unknown) => {
      throw error instanceof ReactionInUseError ? explainedUse(error, settings, force) : error;
    });
    if (forgotten === null) throw await unknownReaction(entities, settings, name);
    await writeResult(context, settings.format, asJson(forgotten, name), tableText(COLUMNS, [forgotten]));
  });
}

const COLUMNS: readonly Column<ForgottenReaction>[] = [
  { title: "FORGOTTEN", value: ({ name }) => name },
  { title: "LAG", value: ({ lag }) => lag?.toString() },
  { title: "PENDING", value: ({ pending }) => String(pending) },
  { title: "CONSUMERS", value: ({ consumers }) => String(consumers) },
  { title: "DEAD", value: ({ deadLetters }) => String(deadLetters) },
];

function explainedUse(error: ReactionInUseError, settings: Settings, isForced: boolean): CliError {
  const { code, message, problem, reaction, replicas, pending, deadLetters } = error;
  const isLiving = problem === "LIVING";
  const hint = isLiving
    ? commandFor(settings, "reactions")
    : deadLetters > 0
      ? commandFor(settings, "reactions", ["dead", reaction])
      : commandFor(settings, "reactions", ["forget", reaction], ["--force"]);
  const lines =
    isLiving && isForced ? ["--force discards unfinished events. It does not stop replicas."] : [];
  const facts = { problem, replicas, pending, deadLetters };
  return new CliError(code, message, { lines, hint, facts }, error);
}
