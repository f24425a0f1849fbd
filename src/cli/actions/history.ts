import { type HistoryOptions, history } from "../../reads/history.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { historyColumns } from "../output/changes.js";
import { asText, writeRows } from "../output/documents.js";
import { serverNow, withStore } from "../session.js";
import { commandFor } from "../shell-command.js";

/** Prints the last changes of an entity. @throws CliError NOTFOUND if there is no such entity */
export async function showHistory(
  context: CliContext,
  settings: Settings,
  id: string,
  options: HistoryOptions,
): Promise<void> {
  const { format, machine } = settings;
  await withStore(settings, async (store) => {
    const [rows, nowMs] = await Promise.all([history(store, id, options), serverNow(store)]);
    if (rows.length === 0) {
      throw new CliError("NOTFOUND", `${machine} ${id} not found`, {
        lines: ["if it was removed, the event log may still contain its changes"],
        facts: { id },
        hint: commandFor(settings, "events"),
      });
    }
    const columns = historyColumns(context, nowMs, format);
    await writeRows(context, format, { rows, columns, document: asText });
  });
}
