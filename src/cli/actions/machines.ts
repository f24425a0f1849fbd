import { storeOf } from "../../entities.js";
import { count } from "../../reads/count.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeRows } from "../output/documents.js";
import type { Column } from "../output/table.js";
import { withLatchkey } from "../session.js";

interface MachineRow {
  readonly name: string;
  readonly version: number;
  readonly states: readonly string[];
  readonly entities: number;
}

const machineColumns: readonly Column<MachineRow>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "VERSION", value: ({ version }) => String(version) },
  { title: "STATES", value: ({ states }) => states.join(",") },
  { title: "ENTITIES", value: ({ entities }) => String(entities) },
];

/** Lists the installed machines of the namespace. */
export async function listMachines(context: CliContext, settings: Settings): Promise<void> {
  await withLatchkey(settings, async (latchkey) => {
    const rows: MachineRow[] = [];
    for (const name of await latchkey.machines()) {
      const entities = await latchkey.installed(name);
      const store = entities === null ? undefined : storeOf(entities);
      if (store === undefined) continue;
      const { version, states } = store.definition;
      const counts = await count(store, "machines");
      const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
      rows.push({ name, version, states: Object.keys(states), entities: total });
    }
    const document = (row: MachineRow) => asJson(row, row.name);
    await writeRows(context, settings.format, { rows, columns: machineColumns, document });
  });
}
