import { countText } from "../../contract/count-text.js";
import type { EventLogSize } from "../../reads/event-log-size.js";
import { stats } from "../../reads/stats.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeResult } from "../output/documents.js";
import { stateColumn } from "../output/state-paint.js";
import { type Column, tableText } from "../output/table.js";
import { withStore } from "../session.js";

/** Prints the entities of a machine by state, and their memory. */
export async function showStats(context: CliContext, settings: Settings): Promise<void> {
  await withStore(settings, async (store) => {
    const result = await stats(store);
    const { entities, states, due, memory, eventLog, tombstones } = result;
    const stateColumns: Column<[string, number]>[] = [
      stateColumn(context.paint, store.definition, ([state]) => state),
      { title: "COUNT", value: ([, count]) => String(count) },
    ];
    const removed = tombstones === 0 ? "" : `, ${countText(tombstones, "tombstone")} of removed IDs`;
    const text = [
      tableText(stateColumns, Object.entries(states)),
      tableText(MEMORY_COLUMNS, Object.entries(memory)),
      `${eventLogText(eventLog)}\n${countText(entities, "entity", "entities")}, ${due.entries} with a timer, ${due.over} overdue${removed}\n`,
    ].join("\n");
    await writeResult(context, settings.format, asJson(result), text);
  });
}

function eventLogText({ documentBytes, keep, fullBytes }: EventLogSize): string {
  const end = `the event log keeps ${countText(keep, "event")}`;
  if (documentBytes === 0) return end;
  return `${end} of ${bytesText(documentBytes)} on average: it stops growing at about ${bytesText(fullBytes)}`;
}

const MEMORY_COLUMNS: readonly Column<[string, { readonly keys: number; readonly bytes: number }]>[] = [
  { title: "PART", value: ([part]) => part },
  { title: "KEYS", value: ([, { keys }]) => String(keys) },
  { title: "MEMORY", value: ([, { bytes }]) => bytesText(bytes) },
  { title: "EACH", value: ([, { keys, bytes }]) => (keys === 0 ? undefined : bytesText(bytes / keys)) },
];

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * Formats an amount of memory for people.
 *
 * @example
 * bytesText(1536); // "1.5KiB"
 */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? Math.round(amount) : amount.toFixed(1)}${UNITS[power]}`;
}
