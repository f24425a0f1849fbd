import type { Change } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import { ContractError } from "../../errors/latchkey-error.js";
import type { EventLog } from "../../events/log.js";
import { CliError, usageError } from "../cli-error.js";
import type { EventFlags } from "../commands/events.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { eventColumns, writtenChange } from "../output/change-columns.js";
import { writeDocuments } from "../output/documents.js";
import { placeOptions } from "../output/next-steps.js";
import { TableLines } from "../output/table.js";
import { withEntities } from "../session.js";
import { shellCommand } from "../shell-command.js";

/**
 * Shows a machine's changes and says where to go on.
 *
 * @throws CliError GAP where the log was trimmed past the cursor.
 */
export async function showEvents(context: CliContext, settings: Settings, flags: EventFlags): Promise<void> {
  const signal = context.interruption();
  const isLive = flags.follow === true;
  await withEntities(
    settings,
    async (entities) => {
      const log = openLog(entities, flags, signal);
      try {
        if (isForPeople(settings.format)) {
          const table = new TableLines(eventColumns(settings.format), isLive);
          await context.write(table.start());
          for await (const change of log) await context.write(table.add(change));
          await context.write(table.end());
        } else await writeDocuments(context, settings.format, written(log));
      } catch (error) {
        throw withCommand(error, settings);
      }
      if (log.cursor !== undefined) context.note(`continue with --after ${log.cursor}`);
    },
    { signal },
  );
}

function openLog(entities: Entities, flags: EventFlags, signal: AbortSignal): EventLog<Change> {
  const follow = flags.follow === true;
  try {
    return entities.events({ after: flags.after ?? (follow ? "end" : "start"), follow, signal });
  } catch (error) {
    if (error instanceof ContractError) throw usageError(error.message.replace(/^after/, "--after"));
    throw error;
  }
}

async function* written(log: AsyncIterable<Change>) {
  for await (const change of log) yield writtenChange(change);
}

function withCommand(error: unknown, settings: Settings): unknown {
  if (!(error instanceof Error && "code" in error && error.code === "GAP" && "cursor" in error)) return error;
  const cursor = String(error.cursor);
  const hint = shellCommand("events", [], ["--after", cursor, ...placeOptions(settings)]);
  return new CliError("GAP", error.message, { hint, facts: { cursor: JSON.stringify(cursor) } }, error);
}
