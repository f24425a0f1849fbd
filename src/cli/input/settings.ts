import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { DEFAULT_NAMESPACE, DEFAULT_URL } from "../../valkey/connection-options.js";
import type { TlsOptions } from "../../valkey/tls-options.js";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { type Format, formatsOf } from "./formats.js";
import { durationOption } from "./option-values.js";

/** The options of every command. */
export interface GlobalOptions {
  readonly machine?: string;
  readonly url?: string;
  readonly namespace?: string;
  readonly passwordFile?: string;
  readonly tlsCaFile?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly tlsServerName?: string;
  readonly timeout?: string;
  readonly output?: string;
}

/** Server, namespace, machine and format of a command: from options, then the environment, then defaults. */
export interface Settings {
  readonly machine: string;
  readonly namespace: string;
  /** May contain a password: never show it. */
  readonly url: string;
  /** Neither an option nor the environment names a server. */
  readonly isDefaultUrl: boolean;
  readonly password?: string;
  /** Options of TLS that were typed. The library reads the environment. */
  readonly tls?: TlsOptions;
  /** Time limit of connecting and of each request, in ms, if an option or the environment has one. */
  readonly timeoutMs?: number;
  readonly format: Format;
  /** The options as they were typed, for commands to paste. The URL may contain a password. */
  readonly given: GlobalOptions;
}

/**
 * Reads the options of every command. Options take precedence over the environment, and the environment over defaults.
 *
 * @throws CliError USAGE if the command does not have the format, or a value is invalid
 */
export function settingsOf(command: Command, context: CliContext): Settings {
  const { env } = context;
  const given = command.optsWithGlobals<GlobalOptions>();
  const url = given.url ?? firstSet(env.LATCHKEY_URL, env.VALKEY_URL);
  if (given.url !== undefined) hidePassword(context, "--url", given.url, "LATCHKEY_PASSWORD");
  const { passwordFile } = given;
  const password = passwordFile === undefined ? firstSet(env.LATCHKEY_PASSWORD) : passwordIn(passwordFile);
  const tls = tlsOf(given);
  const timeoutMs = timeoutOf(given, env);
  return {
    machine: given.machine ?? firstSet(env.LATCHKEY_MACHINE) ?? "agent",
    namespace: given.namespace ?? firstSet(env.LATCHKEY_NAMESPACE) ?? DEFAULT_NAMESPACE,
    url: url ?? DEFAULT_URL,
    isDefaultUrl: url === undefined,
    format: outputFormat(command, given.output),
    given,
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

function timeoutOf({ timeout }: GlobalOptions, env: CliContext["env"]): number | undefined {
  const text = timeout ?? firstSet(env.LATCHKEY_TIMEOUT);
  const name = timeout === undefined ? "LATCHKEY_TIMEOUT" : "--timeout";
  if (text === undefined) return undefined;
  // Other durations may lack the unit. Here seconds are meant, and a limit of some milliseconds makes every request fail.
  if (/^[1-9]\d*$/.test(text))
    throw usageError(`invalid ${name} "${text}": it needs a unit, such as ${text}s or ${text}ms`);
  try {
    return durationOption(text);
  } catch (error) {
    throw usageError(`invalid ${name} "${text}". ${error instanceof Error ? error.message : ""}`);
  }
}

function tlsOf({ tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName }: GlobalOptions): TlsOptions | undefined {
  const tls: TlsOptions = {
    ...(tlsCaFile !== undefined && { caFile: tlsCaFile }),
    ...(tlsCertFile !== undefined && { certFile: tlsCertFile }),
    ...(tlsKeyFile !== undefined && { keyFile: tlsKeyFile }),
    ...(tlsServerName !== undefined && { servername: tlsServerName }),
  };
  return Object.keys(tls).length === 0 ? undefined : tls;
}

/** Returns true if the output is for programs: errors are then written as JSON. */
export function isForPrograms(output: string | undefined): boolean {
  return output === "json" || output === "jsonl";
}

function firstSet(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== "");
}

function outputFormat(command: Command, wanted: string | undefined): Format {
  const formats = formatsOf(command);
  const format = wanted === undefined ? formats[0] : formats.find((one) => one === wanted);
  if (format !== undefined) return format;
  if (formats.length === 0) return "table";
  throw usageError(`unknown output format "${wanted}" of ${command.name()}; use ${formats.join(", ")}`);
}

/** Hides a password that an option contains from the process list, and warns of it. @param better what to use instead */
export function hidePassword(context: CliContext, option: string, url: string, better: string): void {
  if (!/:\/\/[^/@]*:[^/@]+@/.test(url)) return;
  process.title = "latchkey"; // overwrites the arguments in the process list, where they were visible until now
  context.note(`warning: a password in ${option} is visible in the process list; use ${better}`);
}

/** Reads a password file. @throws CliError USAGE if it cannot be read or is empty */
export function passwordIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${error.code})` : "";
    throw usageError(`cannot read the password file ${file}${code}`);
  }
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw usageError(`the password file ${file} is empty`);
  return password;
}
