import type { Command, CommanderError } from "commander";
import { didYouMean } from "../../machine/suggest.js";
import { CliError } from "../cli-error.js";
import { thisProgram } from "../this-program.js";

/** What was typed wrong, with a way to learn what is right. */
export function typedWrong(
  program: Command,
  { code, message }: CommanderError,
  words: readonly string[],
): CliError {
  const { command, path, rest } = readPath(program, words);
  const isNoCommand = code === "commander.excessArguments" && command.commands.length > 0;
  const [first = "", suggestion] = (
    isNoCommand ? unknownCommand(command, rest) : code === "commander.help" ? noCommand(rest) : message
  )
    .replace(/^error: /, "")
    .split("\n");
  return new CliError("USAGE", withoutPasswords(first), {
    ...(suggestion !== undefined && { lines: [suggestion] }),
    hint: [thisProgram(), ...path, "--help"].join(" "),
  });
}

/** commander answers with the help, and no message, where it finds no command. */
function noCommand([first, second]: readonly string[]): string {
  return first === "help" && second !== undefined ? `there is no command ${second}` : "a command is missing";
}

/** A command that does something itself and has further ones below it: commander takes a misspelt one for an argument. */
function unknownCommand(command: Command, [word = ""]: readonly string[]): string {
  const names = command.commands.map((one) => one.name());
  return `unknown command '${word}' of ${command.name()}${didYouMean(word, names)}`;
}

/** The command that words lead to, its names, and the words behind it that are no options. */
function readPath(
  program: Command,
  words: readonly string[],
): { command: Command; path: string[]; rest: string[] } {
  const path: string[] = [];
  const rest: string[] = [];
  let command = program;
  let isValue = false;
  for (const word of words) {
    if (isValue) isValue = false;
    else if (word.startsWith("-")) {
      const options = [...command.options, ...program.options];
      isValue = options.some((one) => one.required && (one.long === word || one.short === word));
    } else {
      const inner = rest.length === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (inner === undefined) rest.push(word);
      else {
        command = inner;
        path.push(word);
      }
    }
  }
  return { command, path, rest };
}

/** A URL may have been typed where something else belongs. */
function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/[^\s/:]*:)\S*@/g, "$1***@");
}
