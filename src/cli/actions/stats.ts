import { stats } from "../../reads/stats.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { bytesText } from "../output/bytes-text.js";
import { writeDocument } from "../output/documents.js";
import { paintState } from "../output/state-paint.js";
import { type Column, tableText } from "../output/table.js";
import { withStore } from "../session.js";

/** Shows what a machine's entities are, and what they take of the server's memory. */
export async function showStats(context: CliContext, settings: Settings): Promise<void> {
  const { format, machine } = settings;
  await withStore(settings, async (store) => {
    const found = await stats(store);
    if (format !== "table") {
      await writeDocument(context, format, { machine, id: "", text: JSON.stringify(found) });
      return;
    }
    const states: Column<[string, number]>[] = [
      {
        title: "STATE",
        value: ([state]) => state,
        paint: (text, [state]) => paintState(context.paint, store.definition, state, text),
      },
      { title: "COUNT", value: ([, count]) => String(count) },
    ];
    const parts: Column<[string, { keys: number; bytes: number }]>[] = [
      { title: "PART", value: ([part]) => part },
      { title: "KEYS", value: ([, { keys }]) => String(keys) },
      { title: "MEMORY", value: ([, { bytes }]) => bytesText(bytes) },
      { title: "EACH", value: ([, { keys, bytes }]) => (keys === 0 ? undefined : bytesText(bytes / keys)) },
    ];
    const { entities, states: byState, due, memory } = found;
    await context.write(tableText(states, Object.entries(byState)));
    await context.write(`\n${tableText(parts, Object.entries(memory))}`);
    const over = due.over === 0 ? "" : `, ${due.over} over`;
    await context.write(
      `\n${entities} ${entities === 1 ? "entity" : "entities"}, ${due.entries} with a deadline${over}\n`,
    );
  });
}
