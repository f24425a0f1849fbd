import type { Snapshot } from "../../contract/document.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import type { HistoryEntry } from "../../reads/history.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { ageText, dueText } from "./ages.js";
import { entryInto, historyColumns, originText } from "./changes.js";
import { nextSteps } from "./next-steps.js";
import { ownFieldTexts } from "./own-fields.js";
import { paintState } from "./state-paint.js";
import { tableText } from "./table.js";
import { shownText } from "./terminal-text.js";

/** An entity with its history and its machine. */
export interface EntityView {
  readonly entity: Snapshot;
  readonly changes: readonly HistoryEntry[];
  readonly definition: CompiledMachine;
  /** Server time in ms. */
  readonly nowMs: number;
}

/** Formats one entity for an operator: state, age, origin, fields, next commands and history. */
export function entityPage(context: CliContext, settings: Settings, view: EntityView): string {
  const { entity, changes, definition, nowMs } = view;
  const { paint } = context;
  const steps = nextSteps(definition, entity, settings);
  const ago = (time: string): string => `${time} (${ageText(nowMs - Date.parse(time))} ago)`;
  const last = changes.at(-1);
  const entry = entryInto(entity, changes);
  const facts: [string, string][] = [
    ["State", `${paintState(paint, definition, entity.state)}${steps.length === 0 ? " (final)" : ""}`],
    ["Since", `${ago(entity.since)}${entry === undefined ? "" : `, ${shownText(originText(entry))}`}`],
    ...(entity.dueAt === undefined ? [] : [dueFact(entity.dueAt, nowMs)]),
    ["Version", String(entity.version)],
    ["Created", ago(entity.createdAt)],
    ["Changed", `${ago(entity.timestamp)}${last === undefined ? "" : `, ${shownText(changeText(last))}`}`],
  ];
  return [
    `${paint.bold(`${entity.machine}/${entity.id}`)}\n`,
    ...facts.map(([name, text]) => `${`${name}:`.padEnd(10)}${text}\n`),
    section(paint.bold("Fields"), fieldLines(entity, definition)),
    section(
      paint.bold("Next"),
      steps.map(({ command }) => command),
    ),
    `${paint.bold("History")}${historyTitle(changes)}\n`,
    indented(tableText(historyColumns(context, nowMs, settings.format), changes)),
  ].join("");
}

function dueFact(dueAt: string, nowMs: number): [string, string] {
  return ["Due", `${dueAt} (${dueText(Date.parse(dueAt), nowMs)})`];
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? `${title}: <none>\n` : `${title}:\n${indented(lines.join("\n"))}`;
}

function fieldLines(entity: Snapshot, definition: CompiledMachine): string[] {
  const stamps = new Set(Object.values(definition.states).flatMap(({ stamp }) => stamp ?? []));
  const fields = ownFieldTexts(entity);
  const width = Math.max(0, ...fields.map(([field]) => field.length));
  return fields.map(
    ([field, json]) => `${field.padEnd(width)}  ${shownText(json)}${stamps.has(field) ? "  (stamp)" : ""}`,
  );
}

function changeText({ type, actor, reason }: HistoryEntry): string {
  return `${type}${actor === undefined ? "" : ` by ${actor}`}${reason === undefined ? "" : ` (${reason})`}`;
}

function historyTitle(changes: readonly HistoryEntry[]): string {
  const first = changes[0];
  return first === undefined || first.version === 1
    ? ":"
    : `: (${first.version - 1} earlier ${first.version === 2 ? "change is" : "changes are"} not kept)`;
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, "  ").concat("\n");
}
