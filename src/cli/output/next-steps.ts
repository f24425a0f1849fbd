import type { Snapshot } from "../../contract/document.js";
import { missingFields } from "../../contract/required-fields.js";
import { type CompiledMachine, stateOf } from "../../machine/compiled.js";
import type { Settings } from "../input/settings.js";
import { commandFor } from "../shell-command.js";

/** A transition that an entity can make, and the command for it. */
export interface NextStep {
  readonly to: string;
  readonly command: string;
}

/** Lists the transitions that an entity can make from its current state; none if the state is final. */
export function nextSteps(definition: CompiledMachine, entity: Snapshot, settings: Settings): NextStep[] {
  const { id, state } = entity;
  return (stateOf(definition, state)?.to ?? []).map((to) => {
    const fields = missingFields({ definition, state: to, isEntered: true, current: entity });
    return { to, command: commandFor(settings, "transition", [id, to], setOptions(fields)) };
  });
}

/** Returns the options that set fields, with a placeholder for each value. */
export function setOptions(fields: readonly string[]): string[] {
  return fields.flatMap((field) => ["--set", `${field}=VALUE`]);
}
