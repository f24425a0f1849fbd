import type { Change, Snapshot } from "../../contract/document.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { ageText } from "./age.js";
import { historyColumns } from "./change-columns.js";
import { byWhom, entryInto } from "./change-words.js";
import { dueText } from "./due-text.js";
import { nextSteps } from "./next-steps.js";
import { ownFieldTexts } from "./own-fields.js";
import { paintState } from "./state-paint.js";
import { tableText } from "./table.js";
import { shownText } from "./terminal-text.js";

/** All that is known of one entity. */
export interface EntityView {
  readonly entity: Snapshot;
  readonly changes: readonly Change[];
  readonly definition: CompiledMachine;
  /** When its timeout, its lease or its retention ends, in ms of server time; null where it has none. */
  readonly due: number | null;
  /** Server time in ms. */
  readonly nowMs: number;
}

/** Explains one entity the way an operator needs it: what it is, since when, why, and what can be done. */
export function entityPage(context: CliContext, settings: Settings, view: EntityView): string {
  const { entity, changes, definition, nowMs, due } = view;
  const { paint } = context;
  const steps = nextSteps(definition, entity, settings);
  const ago = (time: string): string => `${time} (${ageText(nowMs - Date.parse(time))} ago)`;
  const last = changes.at(-1);
  const entry = entryInto(entity, changes);
  const facts: [string, string][] = [
    ["State", `${paintState(paint, definition, entity.state)}${steps.length === 0 ? " (final)" : ""}`],
    ["Since", `${ago(entity.since)}${entry === undefined ? "" : `, ${shownText(byWhom(entry))}`}`],
    ...(due === null ? [] : [dueFact(due, nowMs)]),
    ["Version", String(entity.version)],
    ["Created", ago(entity.createdAt)],
    ["Changed", `${ago(entity.timestamp)}${last === undefined ? "" : `, ${shownText(whatWas(last))}`}`],
  ];
  return [
    `${paint.bold(`${entity.machine}/${entity.id}`)}\n`,
    ...facts.map(([name, text]) => `${`${name}:`.padEnd(10)}${text}\n`),
    section(paint.bold("Fields"), fieldLines(entity, definition)),
    section(
      paint.bold("Next"),
      steps.map(({ command }) => command),
    ),
    `${paint.bold("History")}${olderAreGone(changes)}\n`,
    indented(tableText(historyColumns(context, nowMs, settings.format), changes)),
  ].join("");
}

function dueFact(due: number, nowMs: number): [string, string] {
  const isDate = Math.abs(due) <= 8.64e15;
  return ["Due", `${isDate ? new Date(due).toISOString() : due} (${dueText(due, nowMs)})`];
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

function whatWas({ type, actor, reason }: Change): string {
  return `${type}${actor === undefined ? "" : ` by ${actor}`}${reason === undefined ? "" : ` (${reason})`}`;
}

function olderAreGone(changes: readonly Change[]): string {
  const first = changes[0];
  return first === undefined || first.version === 1
    ? ":"
    : `: (the ${first.version - 1} before are not kept)`;
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, "  ").concat("\n");
}
