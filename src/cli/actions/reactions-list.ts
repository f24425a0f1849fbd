import type { ReactionStats } from "../../reactions/stats.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { ageText } from "../output/age.js";
import { writeDocuments } from "../output/documents.js";
import { type Column, tableText } from "../output/table.js";
import { withEntities } from "../session.js";

/** Shows every reaction of a machine that was ever started. */
export async function showReactions(context: CliContext, settings: Settings): Promise<void> {
  await withEntities(settings, async (entities) => {
    const all = await entities.reactions();
    if (settings.format === "table") {
      await context.write(tableText(columns(context), all));
      return;
    }
    const written = all.map((one) => ({ machine: entities.name, id: one.name, text: JSON.stringify(one) }));
    await writeDocuments(context, settings.format, written);
  });
}

function columns({ paint }: CliContext): Column<ReactionStats>[] {
  return [
    { title: "NAME", value: ({ name }) => name },
    { title: "LAG", value: ({ lag }) => (lag === undefined ? undefined : String(lag)) },
    { title: "PENDING", value: ({ pending }) => String(pending) },
    {
      title: "OLDEST",
      value: ({ oldestPendingMs: ms }) => (ms === undefined ? undefined : ageText(ms)),
    },
    { title: "CONSUMERS", value: ({ consumers }) => String(consumers) },
    { title: "SEEN", value: ({ lastSeenMs: ms }) => (ms === undefined ? undefined : ageText(ms)) },
    {
      title: "DEAD",
      value: ({ deadLetters }) => String(deadLetters),
      paint: (text, { deadLetters }) => (deadLetters > 0 ? paint.red(text) : text),
    },
  ];
}
