import { type CompiledMachine, stateOf } from "../../machine/compiled.js";
import type { Paint } from "./paint.js";
import type { Column } from "./table.js";

/** Colours a state: yellow if it is initial, dim if it is final, green between, red if it is unknown. */
export function paintState(paint: Paint, definition: CompiledMachine, state: string, text = state): string {
  const known = stateOf(definition, state);
  if (known === undefined) return paint.red(text);
  if (known.to === undefined) return paint.dim(text);
  return state === definition.initial ? paint.yellow(text) : paint.green(text);
}

/** Returns the column of a state. `stateIn` finds the state in a row. */
export function stateColumn<R>(
  paint: Paint,
  definition: CompiledMachine,
  stateIn: (row: R) => string,
): Column<R> {
  return {
    title: "STATE",
    value: stateIn,
    paint: (text, row) => paintState(paint, definition, stateIn(row), text),
  };
}
