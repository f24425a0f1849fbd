import type { Command } from "commander";

/** An output format of a command. */
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

/** Returns true for formats for people; all others are for programs. */
export function isForPeople(format: Format): boolean {
  return format === "table" || format === "wide";
}

const formats = new WeakMap<Command, readonly Format[]>();

/** Sets the output formats of a command, the default first. */
export function withFormats(command: Command, ...names: readonly Format[]): Command {
  formats.set(command, names);
  return command.addHelpText("after", `\nOutput formats (-o): ${names.join(", ")}`);
}

/** Returns the output formats of a command; none if it has nothing to format. */
export function formatsOf(command: Command): readonly Format[] {
  return formats.get(command) ?? [];
}

/** Adds examples to the help of a command. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
}
