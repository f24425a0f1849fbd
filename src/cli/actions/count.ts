import { checkKnownStates } from "../../contract/arguments.js";
import { count } from "../../reads/count.js";
import type { EntityReadOptions } from "../../valkey/ask.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeResult } from "../output/documents.js";
import { paintState } from "../output/state-paint.js";
import { type Column, tableText } from "../output/table.js";
import { withStore } from "../session.js";

/** Prints the number of entities in each state. */
export async function countEntities(
  context: CliContext,
  settings: Settings,
  { state: wanted, ...reads }: { readonly state?: readonly string[] } & EntityReadOptions,
): Promise<void> {
  await withStore(settings, async (store) => {
    const counts = await count({ ...store, ...reads });
    checkKnownStates(settings.machine, wanted ?? [], Object.keys(counts));
    const shown = Object.entries(counts).filter(([state]) => wanted?.includes(state) ?? true);
    const total: [string, number] = ["TOTAL", shown.reduce((sum, [, n]) => sum + n, 0)];
    const columns: Column<[string, number]>[] = [
      {
        title: "STATE",
        value: ([state]) => state,
        paint: (text, row) =>
          row === total ? text : paintState(context.paint, store.definition, row[0], text),
      },
      { title: "COUNT", value: ([, n]) => String(n) },
    ];
    const document = asJson(Object.fromEntries(shown));
    await writeResult(context, settings.format, document, tableText(columns, [...shown, total]));
  });
}
