import type { Command, CommanderError } from "commander";
import { didYouMean } from "../../machine/suggest.js";
import { CliError } from "../cli-error.js";
import { thisProgram } from "../shell-command.js";

/** Converts an error of commander to one that names the problem and the command whose help explains it. */
export function fromCommander(
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

/** Names the problem if commander found no command: it has no message for that. */
function noCommand([first, second]: readonly string[]): string {
  return first === "help" && second !== undefined ? `unknown command '${second}'` : "missing command";
}

/** Names a misspelt subcommand of a command that has an action too: commander reads the word as an argument. */
function unknownCommand(command: Command, [word = ""]: readonly string[]): string {
  const names = command.commands.map((one) => one.name());
  return `unknown command '${word}' of ${command.name()}${didYouMean(word, names)}`;
}

/** Finds the command that words name, its path, and the words after it that are not options. */
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

/** Hides passwords: a URL may have been typed at a wrong place. */
function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/[^\s/:]*:)\S*@/g, "$1***@");
}
