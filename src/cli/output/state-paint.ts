import type { CompiledMachine } from "../../machine/compiled.js";
import { targetsOf } from "./next-steps.js";
import type { Paint } from "./paint.js";

/** Colours a state by its place in the machine: yellow at the start, green on the way, dim at the end. */
export function paintState(paint: Paint, definition: CompiledMachine, state: string, text = state): string {
  if (!Object.hasOwn(definition.states, state)) return paint.red(text);
  if (targetsOf(definition, state).length === 0) return paint.dim(text);
  return state === definition.initial ? paint.yellow(text) : paint.green(text);
}
