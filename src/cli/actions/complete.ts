import type { Command, Option } from "commander";
import type { CliContext } from "../context.js";
import { formatsOf } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** The words before the one to complete. */
interface Typed {
  readonly command: Command;
  /** Words after the command that are not options. */
  readonly positionals: readonly string[];
  /** The option that the last word is the value of. */
  readonly option?: Option;
}

/** Lists the completions of the last word: commands, options, formats, machines, ids or states. */
export async function completions(
  program: Command,
  words: readonly string[],
  context: CliContext,
): Promise<string[]> {
  const last = words.at(-1) ?? "";
  const [, option = ""] = ASSIGNED.exec(last) ?? [];
  const before = readWords(program, [...words.slice(0, -1), ...(option === "" ? [] : [option])]);
  const value = option === "" ? last : last.slice(option.length + 1);
  // In a list of states, only the text after the last comma is completed.
  const done = before.option?.long === "--state" ? value.slice(0, value.lastIndexOf(",") + 1) : "";
  const current = value.slice(done.length);
  const candidates = await candidatesFor(program, before, current, context);
  return candidates
    .filter((word) => word.startsWith(current) && !done.split(",").includes(word))
    .map((word) => last.slice(0, last.length - current.length) + word);
}

/** An option and its value in one word. */
const ASSIGNED = /^(--[a-z-]+)=(.*)$/s;

function readWords(program: Command, words: readonly string[]): Typed {
  let command = program;
  let option: Option | undefined;
  const positionals: string[] = [];
  for (const word of words) {
    if (option !== undefined) {
      program.setOptionValue(option.attributeName(), word);
      option = undefined;
      continue;
    }
    if (word.startsWith("-")) {
      const [, name = word, value] = ASSIGNED.exec(word) ?? [];
      const found = acceptedOptions(program, command).find((one) => one.long === name || one.short === name);
      if (value !== undefined) {
        if (found !== undefined) program.setOptionValue(found.attributeName(), value);
        continue;
      }
      option = found?.required === true ? found : undefined;
      continue;
    }
    const inner = positionals.length === 0 ? command.commands.find((one) => one.name() === word) : undefined;
    if (inner !== undefined) command = inner;
    else positionals.push(word);
  }
  return { command, positionals, ...(option !== undefined && { option }) };
}

function acceptedOptions(program: Command, command: Command): readonly Option[] {
  return command === program ? program.options : [...command.options, ...program.options];
}

async function candidatesFor(
  program: Command,
  { command, positionals, option }: Typed,
  current: string,
  context: CliContext,
): Promise<readonly string[]> {
  const fromServer = async () => {
    const { ServerWords } = await import("./server-words.js");
    return new ServerWords(settingsOf(program, context), context.env);
  };
  if (option !== undefined) {
    if (option.argChoices !== undefined) return option.argChoices;
    if (option.long === "--output") return formatsOf(command);
    if (option.long === "--machine") return (await fromServer()).machines();
    if (option.long === "--state" || option.long === "--if-state") return (await fromServer()).states();
    if (option.long === "--id") return (await fromServer()).ids(current);
    return [];
  }
  if (current.startsWith("-")) return acceptedOptions(program, command).flatMap(({ long }) => long ?? []);
  const isAboutCommand = positionals.length === 0 || (positionals.length === 1 && positionals[0] === "help");
  if (command.commands.length > 0 && isAboutCommand) return visibleNames(command);
  const wanted = command.registeredArguments[positionals.length] ?? command.registeredArguments.at(-1);
  if (
    wanted === undefined ||
    (positionals.length >= command.registeredArguments.length && !wanted.variadic)
  ) {
    return [];
  }
  if (wanted.argChoices !== undefined) return wanted.argChoices;
  // The id of a new entity is not on the server.
  if (wanted.name() === "id")
    return ["create", "restore"].includes(command.name()) ? [] : (await fromServer()).ids(current);
  if (wanted.name() === "operation") return (await import("./lua.js")).OPERATIONS;
  if (wanted.name() === "reaction") return (await fromServer()).reactions();
  if (["wait", "restore"].includes(command.name()) && wanted.name() === "state")
    return (await fromServer()).states();
  if (wanted.name() === "state") return (await fromServer()).nextStates(positionals[0] ?? "");
  return [];
}

function visibleNames(command: Command): string[] {
  const names = command.commands.map((one) => one.name()).filter((name) => !name.startsWith("__"));
  return command.parent === null ? [...names, "help"] : names;
}
