import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { type Format, formatsOf } from "./formats.js";

const DEFAULT_URL = "valkey://127.0.0.1:6379";

/** Options that every command has. */
export interface GlobalOptions {
  readonly machine?: string;
  readonly url?: string;
  readonly namespace?: string;
  readonly passwordFile?: string;
  readonly output?: string;
}

/** Where a command works and how it answers: options, else the environment, else defaults. */
export interface Settings {
  readonly machine: string;
  readonly namespace: string;
  /** May hold a password: never show it. */
  readonly url: string;
  /** Nobody named a server. */
  readonly isDefaultUrl: boolean;
  readonly password?: string;
  readonly format: Format;
  /** The options that led here, for commands to paste. The URL among them may hold a password. */
  readonly given: GlobalOptions;
}

/**
 * Reads the options that every command has. An option beats the environment, which beats the default.
 *
 * @throws CliError USAGE for a format that the command does not have.
 */
export function settingsOf(command: Command, context: CliContext): Settings {
  const { env } = context;
  const given = command.optsWithGlobals<GlobalOptions>();
  const url = given.url ?? firstSet(env.LATCHKEY_URL, env.VALKEY_URL);
  if (given.url !== undefined && /:\/\/[^/@]*:[^/@]+@/.test(given.url)) {
    context.note(
      "warning: others can read a password in --url in the list of processes; use LATCHKEY_PASSWORD",
    );
  }
  const password = passwordOf(given.passwordFile, env);
  return {
    machine: given.machine ?? firstSet(env.LATCHKEY_MACHINE) ?? "agent",
    namespace: given.namespace ?? firstSet(env.LATCHKEY_NAMESPACE) ?? "latchkey",
    url: url ?? DEFAULT_URL,
    isDefaultUrl: url === undefined,
    format: formatOf(command, given.output),
    given,
    ...(password !== undefined && { password }),
  };
}

/** Whether what is asked for is for programs, its errors too. */
export function isForPrograms(output: string | undefined): boolean {
  return output === "json" || output === "jsonl";
}

function firstSet(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== "");
}

function formatOf(command: Command, wanted: string | undefined): Format {
  const formats = formatsOf(command);
  const format = wanted === undefined ? formats[0] : formats.find((one) => one === wanted);
  if (format !== undefined) return format;
  if (formats.length === 0) return "table";
  throw usageError(`"${wanted}" is no output format of ${command.name()}; it has ${formats.join(", ")}`);
}

function passwordOf(file: string | undefined, env: CliContext["env"]): string | undefined {
  if (file === undefined) return firstSet(env.LATCHKEY_PASSWORD);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${error.code})` : "";
    throw usageError(`the password file ${file} can't be read${code}`);
  }
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw usageError(`the password file ${file} is empty`);
  return password;
}
