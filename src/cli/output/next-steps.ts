import type { Snapshot } from "../../contract/document.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import type { Settings } from "../input/settings.js";
import { shellCommand } from "../shell-command.js";

/** A transition that an entity can make. */
export interface NextStep {
  readonly to: string;
  /** Fields to set in the same call. */
  readonly needs: readonly string[];
  /** What to type. */
  readonly command: string;
}

/** The transitions that an entity can make from the state it is in; none where that is final. */
export function nextSteps(definition: CompiledMachine, entity: Snapshot, settings: Settings): NextStep[] {
  return targetsOf(definition, entity.state).map((to) => {
    const needs = missingFields(definition, to, entity);
    const sets = needs.flatMap((field) => ["--set", `${field}=VALUE`]);
    const command = shellCommand("transition", [entity.id, to], [...sets, ...placeOptions(settings)]);
    return { to, needs, command };
  });
}

/** The states that are possible from a state. */
export function targetsOf(definition: CompiledMachine, state: string): readonly string[] {
  return (Object.hasOwn(definition.states, state) && definition.states[state]?.to) || [];
}

/** The fields that a state requires and an entity lacks. */
export function missingFields(definition: CompiledMachine, state: string, entity: Snapshot | null): string[] {
  const required = (Object.hasOwn(definition.states, state) && definition.states[state]?.require) || [];
  return required.filter((field) => !Object.hasOwn(entity ?? {}, field));
}

/** The options that lead a pasted command to the same machine on the same server; never a password. */
export function placeOptions({ given, machine, namespace, url }: Settings): string[] {
  return [
    ...(given.machine === undefined ? [] : ["-m", machine]),
    ...(given.namespace === undefined ? [] : ["--namespace", namespace]),
    ...(given.url === undefined ? [] : ["--url", withoutPassword(url)]),
    ...(given.passwordFile === undefined ? [] : ["--password-file", given.passwordFile]),
  ];
}

function withoutPassword(url: string): string {
  const shown = new URL(url);
  shown.password = "";
  return shown.href;
}
