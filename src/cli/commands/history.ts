import type { Command } from "commander";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { positiveNumber } from "../input/change-flags.js";
import { ENTITY_FORMATS, isForPeople, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";
import { withStore } from "../session.js";
import { shellCommand } from "../shell-command.js";

/** `latchkey history <id>`: an entity's last changes. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("history <id>")
    .description("an entity's last changes, oldest first: when, who, why")
    .option("--limit <n>", "only so many of the newest", positiveNumber)
    .action((id: string, flags: { readonly limit?: number }) =>
      showHistory(context, command, id, flags.limit),
    );
  withFormats(command, ...ENTITY_FORMATS.filter((format) => format !== "name"));
  withExamples(command, "latchkey history a1", "latchkey history a1 --limit 3 -o jsonl");
}

async function showHistory(
  context: CliContext,
  command: Command,
  id: string,
  limit: number | undefined,
): Promise<void> {
  const settings = settingsOf(command, context);
  await withStore(settings, async (store) => {
    const [{ history }, { serverNow }] = await Promise.all([
      import("../../reads/get.js"),
      import("../server-now.js"),
    ]);
    const [changes, nowMs] = await Promise.all([history(store, id, limit), serverNow(store)]);
    if (changes.length === 0) {
      const message = `${settings.machine} ${id} not found; where it was removed, the event log still has its changes`;
      const { placeOptions } = await import("../output/next-steps.js");
      throw new CliError("NOTFOUND", message, {
        facts: { id: JSON.stringify(id) },
        hint: shellCommand("events", [], placeOptions(settings)),
      });
    }
    const { historyColumns, writtenChange } = await import("../output/change-columns.js");
    if (isForPeople(settings.format)) {
      const { tableText } = await import("../output/table.js");
      await context.write(tableText(historyColumns(context, nowMs, settings.format), changes));
      return;
    }
    const { writeDocuments } = await import("../output/documents.js");
    await writeDocuments(context, settings.format, changes.map(writtenChange));
  });
}
