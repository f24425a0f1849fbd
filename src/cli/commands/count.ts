import type { Command } from "commander";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { collectList } from "../input/change-flags.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";
import { writeDocument } from "../output/documents.js";
import { withStore } from "../session.js";

/** `latchkey count`: how many entities are in each state. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("count")
    .description("count entities by state")
    .option("--state <states>", "only these states (comma list, repeatable)", collectList)
    .action((flags: { readonly state?: readonly string[] }) => countEntities(context, command, flags.state));
  withFormats(command, "table", "json", "jsonl", "yaml");
  withExamples(command, "latchkey count", "latchkey count --state running,failed -o json");
}

async function countEntities(
  context: CliContext,
  command: Command,
  wanted: readonly string[] | undefined,
): Promise<void> {
  const settings = settingsOf(command, context);
  await withStore(settings, async (store) => {
    const { count } = await import("../../reads/count.js");
    const counts = await count(store);
    const absent = wanted?.find((state) => !Object.hasOwn(counts, state));
    if (absent !== undefined) {
      const states = Object.keys(counts).join(", ");
      throw usageError(`"${absent}" is no state of ${settings.machine}; it has ${states}`);
    }
    const shown = Object.entries(counts).filter(([state]) => wanted?.includes(state) ?? true);
    if (settings.format !== "table") {
      const text = JSON.stringify(Object.fromEntries(shown));
      await writeDocument(context, settings.format, { machine: settings.machine, id: "", text });
      return;
    }
    const [{ tableText }, { paintState }] = await Promise.all([
      import("../output/table.js"),
      import("../output/state-paint.js"),
    ]);
    const total: [string, number] = ["TOTAL", shown.reduce((sum, [, n]) => sum + n, 0)];
    const columns = [
      {
        title: "STATE",
        value: ([state]: [string, number]) => state,
        paint: (text: string, row: [string, number]) =>
          row === total ? text : paintState(context.paint, store.definition, row[0], text),
      },
      { title: "COUNT", value: ([, n]: [string, number]) => String(n) },
    ];
    await context.write(tableText(columns, [...shown, total]));
  });
}
