import { type Change, documentText, type Snapshot } from "../../contract/document.js";
import type { HistoryEntry } from "../../reads/history.js";
import type { CliContext } from "../context.js";
import type { Format } from "../input/formats.js";
import { ageText } from "./ages.js";
import { jsonMembers } from "./own-fields.js";
import type { Column } from "./table.js";

/** Returns the columns of a history. Columns that may contain blanks are last. */
export function historyColumns({ paint }: CliContext, nowMs: number, format: Format): Column<HistoryEntry>[] {
  const isWide = format === "wide";
  return [
    { title: "VERSION", value: ({ version }) => String(version) },
    { title: "FROM", value: ({ from }) => from ?? undefined },
    { title: "TO", value: ({ state }) => state },
    { title: "WHEN", value: ({ timestamp }) => timestamp },
    { title: "AGE", value: ({ timestamp }) => ageText(nowMs - Date.parse(timestamp)) },
    {
      title: "FORCED",
      value: ({ forced }) => (forced === true ? "forced" : undefined),
      paint: (text, { forced }) => (forced === true ? paint.red(text) : text),
    },
    ...(isWide ? wideColumns : []),
    { title: "ACTOR", value: ({ actor }) => actor },
    { title: "REASON", value: ({ reason }) => reason },
    { title: "FIELDS", value: (entry) => fieldsText(entry, isWide) },
  ];
}

const wideColumns: Column<HistoryEntry>[] = [
  { title: "POSITION", value: ({ position }) => position },
  { title: "TYPE", value: ({ type }) => type },
  { title: "OP", value: ({ op }) => op },
];

/** Formats the fields that a change wrote and removed, such as `n=5,-note`, or `n,-note` without values. */
function fieldsText(entry: HistoryEntry, hasValues: boolean): string | undefined {
  const { set = {}, unset = [] } = entry;
  // The stored text has all digits of numbers.
  const texts = (): [string, string][] => [
    ...jsonMembers(jsonMembers(documentText(entry)).get("set") ?? "{}"),
  ];
  const written = Array.isArray(set)
    ? set
    : hasValues
      ? texts().map(([name, json]) => `${name}=${json}`)
      : Object.keys(set);
  return [...written, ...unset.map((name) => `-${name}`)].join(",") || undefined;
}

/** Returns the columns of the event log. Rows arrive one by one, so the widths are fixed. */
export function eventColumns(format: Format): Column<Change>[] {
  return [
    { title: "WHEN", value: ({ timestamp }) => timestamp, width: 24 },
    { title: "ID", value: ({ id }) => id, width: 12 },
    { title: "TYPE", value: ({ type }) => type, width: 16 },
    { title: "VERSION", value: ({ version }) => String(version) },
    { title: "FROM", value: ({ from }) => from ?? undefined, width: 10 },
    { title: "TO", value: ({ state }) => state, width: 10 },
    ...(format === "wide" ? [{ title: "OP", value: ({ op }: Change) => op, width: 12 }] : []),
    { title: "ACTOR", value: ({ actor }) => actor, width: 16 },
    { title: "REASON", value: ({ reason }) => reason },
  ];
}

/** Finds the change by which an entity entered its current state, if the history still contains it. */
export function entryInto(current: Snapshot, changes: readonly HistoryEntry[]): HistoryEntry | undefined {
  const entries = changes.filter(
    ({ state, timestamp }) => state === current.state && timestamp === current.since,
  );
  return entries.findLast(({ from, state }) => from !== state) ?? entries[0];
}

/** Describes the origin of a change: previous state, actor and reason. */
export function originText({ from, actor, reason, forced }: HistoryEntry): string {
  const parts = [
    from === null ? "created" : `from ${from}`,
    ...(actor === undefined ? [] : [`by ${actor}`]),
    ...(reason === undefined ? [] : [`(${reason})`]),
    ...(forced === true ? ["with --force"] : []),
  ];
  return parts.join(" ");
}
