import type { Change } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import { codeOf } from "../../errors/code-of.js";
import { ContractError } from "../../errors/latchkey-error.js";
import type { EventLog, EventsOptions } from "../../events/log.js";
import type { UnreadableEntry } from "../../events/unreadable.js";
import { CliError, usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { eventColumns } from "../output/changes.js";
import { stored, writeRows } from "../output/documents.js";
import { awayLine } from "../server-watch.js";
import { withEntities } from "../session.js";
import { commandFor } from "../shell-command.js";

/** Options of `events`. */
export interface EventFlags {
  readonly after?: string;
  readonly follow?: boolean;
}

/**
 * Prints the event log of a machine, and at the end the cursor to continue with.
 *
 * @throws CliError GAP if events after the cursor were trimmed, or the log lost the event before it.
 */
export async function showEvents(context: CliContext, settings: Settings, flags: EventFlags): Promise<void> {
  const { format } = settings;
  if (flags.follow === true && format === "json") {
    throw usageError("-o json with --follow would never end; use -o jsonl");
  }
  const onUnreadable = ({ entry, partition, problem }: UnreadableEntry): void =>
    context.note(`skipped entry ${entry} (partition ${partition}): ${problem}`);
  await withEntities(
    settings,
    async (entities) => {
      const signal = context.interruption(); // until here, Ctrl-C ends the process at once
      const onAway = ({ message }: Error): void => context.note(awayLine(message));
      const onBack = (): void => context.note("connected again; events of all servers follow");
      const rows = openLog(entities, flags, { signal, onUnreadable, onAway, onBack });
      const columns = eventColumns(format);
      try {
        await writeRows(context, format, { rows, columns, document: stored, isLive: flags.follow === true });
      } catch (error) {
        if (!(error instanceof Error && codeOf(error) === "GAP" && "cursor" in error)) throw error;
        const cursor = String(error.cursor);
        const hint = commandFor(settings, "events", [], ["--after", cursor]);
        throw new CliError("GAP", error.message, { hint, facts: { cursor } }, error);
      }
      if (rows.cursor !== undefined) context.note(`next events: --after ${rows.cursor}`);
    },
    flags.follow === true ? { onWait: (line) => context.note(line) } : {},
  );
}

function openLog(
  entities: Entities,
  { follow = false, after = follow ? "end" : "start" }: EventFlags,
  options: EventsOptions,
): EventLog<Change> {
  try {
    return entities.events({ ...options, after, follow });
  } catch (error) {
    if (error instanceof ContractError) throw usageError(error.message.replace(/^after/, "--after"));
    throw error;
  }
}
