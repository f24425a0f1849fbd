import { type Change, documentText } from "../../contract/document.js";
import type { CliContext } from "../context.js";
import type { Format } from "../input/formats.js";
import { ageText } from "./age.js";
import type { Column } from "./table.js";

/** Columns of an entity's history, oldest change first. What may hold blanks stands last. */
export function historyColumns({ paint }: CliContext, nowMs: number, format: Format): Column<Change>[] {
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
    ...(format === "wide" ? wideColumns : []),
    { title: "ACTOR", value: ({ actor }) => actor },
    { title: "REASON", value: ({ reason }) => reason },
  ];
}

const wideColumns: Column<Change>[] = [
  { title: "TYPE", value: ({ type }) => type },
  { title: "OP", value: ({ op }) => op },
];

/** Columns of the event log. Rows come one by one, so their widths are set beforehand. */
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

/** A change as it is written in formats for programs. */
export function writtenChange(change: Change): { machine: string; id: string; text: string } {
  return { machine: change.machine, id: change.id, text: documentText(change) };
}
