import { durationText } from "./duration.js";
import { type AnyMachine, compiled, edgesOf } from "./edges.js";

/**
 * Draws a machine in the DOT language of Graphviz. Final states have a double border, and transitions by timers are
 * dashed.
 *
 * @param current a state to highlight
 * @returns the text of the graph with a final newline
 * @throws MachineDefinitionError if the definition is invalid
 * @example
 * toDot(agent()); // digraph "agent" {\n  rankdir=LR;\n  …
 */
export function toDot(machine: AnyMachine, current?: string): string {
  const form = compiled(machine);
  const lines = [
    `digraph "${form.name}" {`,
    "  rankdir=LR;",
    "  node [shape=box, style=rounded];",
    // No state has an empty name, so this name is free for the entry point.
    '  "" [shape=point];',
  ];
  for (const [name, { to, retain }] of Object.entries(form.states)) {
    const label = retain === undefined ? "" : `, label="${name}\\nremoved after ${durationText(retain)}"`;
    lines.push(to === undefined ? `  "${name}" [peripheries=2${label}];` : `  "${name}";`);
  }
  if (current !== undefined && Object.hasOwn(form.states, current)) {
    lines.push(`  "${current}" [style="rounded,filled", fillcolor="gold"];`);
  }
  lines.push(`  "" -> "${form.initial}";`);
  for (const { from, to, timers } of edgesOf(form)) {
    const label = timers.length > 0 ? ` [style=dashed, label="${timers.join("\\n")}"]` : "";
    lines.push(`  "${from}" -> "${to}"${label};`);
  }
  return `${lines.join("\n")}\n}\n`;
}
