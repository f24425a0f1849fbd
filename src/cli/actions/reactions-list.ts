import type { Entities } from "../../entities.js";
import type { ReactionStats } from "../../reactions/stats.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { ageText } from "../output/ages.js";
import { asJson, writeRows } from "../output/documents.js";
import type { Column } from "../output/table.js";
import { withEntities } from "../session.js";
import { commandFor } from "../shell-command.js";

/** Lists the reactions of a machine. */
export async function listReactions(context: CliContext, settings: Settings): Promise<void> {
  await withEntities(settings, async (entities) => {
    const rows = await entities.reactions();
    const document = (row: ReactionStats) => asJson(row, row.name);
    await writeRows(context, settings.format, { rows, columns: reactionColumns(context), document });
  });
}

function reactionColumns({ paint }: CliContext): Column<ReactionStats>[] {
  return [
    { title: "NAME", value: ({ name }) => name },
    { title: "LAG", value: ({ lag }) => lag?.toString() },
    { title: "PENDING", value: ({ pending }) => String(pending) },
    { title: "OLDEST", value: ({ oldestPendingMs: ms }) => (ms === undefined ? undefined : ageText(ms)) },
    { title: "CONSUMERS", value: ({ consumers }) => String(consumers) },
    { title: "SEEN", value: ({ lastSeenMs: ms }) => (ms === undefined ? undefined : ageText(ms)) },
    {
      title: "DEAD",
      value: ({ deadLetters }) => String(deadLetters),
      paint: (text, { deadLetters }) => (deadLetters > 0 ? paint.red(text) : text),
    },
  ];
}

/** Checks that a reaction exists. @throws CliError NOTFOUND if no replica ever started it */
export async function checkReaction(entities: Entities, settings: Settings, name: string): Promise<void> {
  const reactions = await entities.reactions();
  if (!reactions.some((one) => one.name === name)) throw await unknownReaction(entities, settings, name);
}

/** Makes the error of a reaction that does not exist, with the names of those that do. */
export async function unknownReaction(
  entities: Entities,
  settings: Settings,
  name: string,
): Promise<CliError> {
  const reactions = (await entities.reactions()).map((one) => one.name);
  const others = reactions.length === 0 ? "" : `; it has ${reactions.join(", ")}`;
  return new CliError("NOTFOUND", `${entities.name} has no reaction "${name}"${others}`, {
    hint: commandFor(settings, "reactions"),
    facts: { reactions },
  });
}
