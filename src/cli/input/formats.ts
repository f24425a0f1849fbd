import type { Command } from "commander";

/** Every output format that some command has. */
export type Format =
  | "table"
  | "wide"
  | "json"
  | "jsonl"
  | "yaml"
  | "name"
  | "mermaid"
  | "dot"
  | "xstate"
  | "machine";

/** The formats of commands that show entities. */
export const ENTITY_FORMATS = ["table", "wide", "json", "jsonl", "yaml", "name"] as const;

/** Formats for people; all others are for programs. */
export function isForPeople(format: Format): boolean {
  return format === "table" || format === "wide";
}

const formats = new WeakMap<Command, readonly Format[]>();

/** Gives a command its output formats, the default first. */
export function withFormats(command: Command, ...its: readonly Format[]): Command {
  formats.set(command, its);
  return command.addHelpText("after", `\nOutput formats (-o): ${its.join(", ")}`);
}

/** The output formats of a command; none where it has nothing to format. */
export function formatsOf(command: Command): readonly Format[] {
  return formats.get(command) ?? [];
}

/** Adds examples to a command's help. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
}
