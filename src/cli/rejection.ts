import { documentText, type Snapshot } from "../contract/document.js";
import type { Entities } from "../entities.js";
import type { RejectedError } from "../errors/rejected-errors.js";
import { didYouMean } from "../machine/suggest.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { CliError } from "./cli-error.js";
import type { Settings } from "./input/settings.js";
import { ageText } from "./output/age.js";
import { byWhom, entryInto } from "./output/change-words.js";
import { nextSteps, placeOptions } from "./output/next-steps.js";
import { serverNow } from "./server-now.js";
import { shellCommand } from "./shell-command.js";

/** What was refused, where, and to whom it is told. */
export interface RefusedCall {
  readonly entities: Entities;
  readonly store: MachineStore;
  readonly settings: Settings;
  /** The state that was asked for, where the call moves the entity. */
  readonly to?: string;
}

/**
 * Makes a refusal as clear as an operator needs it: since when the entity is in its state, who moved it there, what is
 * possible now and what to type.
 */
export async function explainedRefusal(error: RejectedError, call: RefusedCall): Promise<CliError> {
  const { entities, settings, to } = call;
  const { id, current } = error;
  const steps = current === null ? [] : nextSteps(entities.definition, current, settings);
  const lines = [...unknownState(entities, to), ...(current === null ? [] : await arrival(current, call))];
  if (current !== null && (error.code === "ILLEGAL" || error.code === "MISSING")) {
    lines.push(
      ...(steps.length === 0 ? [`${current.state} is final`] : ["possible now:"]),
      ...steps.map(({ command }) => `  ${command}`),
    );
  }
  const isFields = "fields" in error && Array.isArray(error.fields);
  return new CliError(
    error.code,
    error.message,
    {
      lines,
      hint: hintFor(error, call),
      facts: {
        machine: JSON.stringify(error.machine),
        id: JSON.stringify(id),
        from: JSON.stringify(current?.state ?? null),
        ...(to !== undefined && { to: JSON.stringify(to) }),
        allowed: JSON.stringify(steps.map((step) => step.to)),
        ...(isFields && { fields: JSON.stringify(error.fields) }),
        current: current === null ? "null" : documentText(current),
      },
    },
    error,
  );
}

function hintFor(error: RejectedError, { settings, to }: RefusedCall): string {
  const options = placeOptions(settings);
  const { id } = error;
  if (error.code === "NOTFOUND") return shellCommand("list", [], options);
  if (error.code === "MISSING" && "fields" in error && Array.isArray(error.fields)) {
    const sets = error.fields.flatMap((field) => ["--set", `${field}=VALUE`]);
    if (to !== undefined) return shellCommand("transition", [id, to], [...sets, ...options]);
    if (error.current === null) return shellCommand("create", [id], [...sets, ...options]);
  }
  return shellCommand("get", [id], options);
}

function unknownState(entities: Entities, to: string | undefined): string[] {
  const states = Object.keys(entities.definition.states);
  if (to === undefined || states.includes(to)) return [];
  return [`"${to}" is no state of ${entities.name}${didYouMean(to, states)}`];
}

/** When and by whom the entity was brought into its state. A failure here must not hide the refusal. */
async function arrival(current: Snapshot, { entities, store }: RefusedCall): Promise<string[]> {
  try {
    const [changes, nowMs] = await Promise.all([entities.history(current.id), serverNow(store)]);
    const age = ageText(nowMs - Date.parse(current.since));
    const by = entryInto(current, changes);
    const who = by === undefined ? "by a change older than its history" : byWhom(by);
    return [`${current.state} since ${age}, ${by?.from === null ? who : `moved there ${who}`}`];
  } catch {
    return [];
  }
}
