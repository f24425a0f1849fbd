import { durationText } from "./duration.js";
import { type AnyMachine, compiled, edgesOf } from "./edges.js";

/** Matches names that Mermaid does not accept as ids: its keywords, the ids that it generates, and names with "-". */
const NOT_AN_ID =
  /^(acc(descr|title)|as|class(def)?|click|default|direction|end|fork|hide|href|join|note|root.*|scale|state|style|.*-.*)$/i;

/**
 * Draws a machine as a Mermaid state diagram, which GitHub renders.
 *
 * @param current a state to highlight
 * @returns the text of the diagram with a final newline
 * @throws MachineDefinitionError if the definition is invalid
 * @example
 * toMermaid(agent()); // stateDiagram-v2\n  [*] --> spawning\n  …
 */
export function toMermaid(machine: AnyMachine, current?: string): string {
  const form = compiled(machine);
  const names = Object.keys(form.states);
  // No state starts with "_", so these ids are free.
  const ids = new Map(names.map((name, at) => [name, NOT_AN_ID.test(name) ? `_${at}` : name]));
  const id = (name: string) => ids.get(name) ?? name;
  const lines = ["stateDiagram-v2"];
  for (const name of names) if (id(name) !== name) lines.push(`  state "${name}" as ${id(name)}`);
  lines.push(`  [*] --> ${id(form.initial)}`);
  for (const { from, to, timers } of edgesOf(form)) {
    const label = timers.length > 0 ? ` : ${timers.join(", ")}` : "";
    lines.push(`  ${id(from)} --> ${id(to)}${label}`);
  }
  for (const [name, { to, retain }] of Object.entries(form.states)) {
    if (to !== undefined) continue;
    lines.push(
      `  ${id(name)} --> [*]${retain === undefined ? "" : ` : removed after ${durationText(retain)}`}`,
    );
  }
  if (current !== undefined && ids.has(current)) {
    // No state starts with "_", so this class name is free.
    lines.push("  classDef _now fill:gold,color:black", `  class ${id(current)} _now`);
  }
  return `${lines.join("\n")}\n`;
}
