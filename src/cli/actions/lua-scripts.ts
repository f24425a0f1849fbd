import { fileURLToPath } from "node:url";
import { manifest, type Operation, scripts } from "../../lua/index.js";
import { didYouMean } from "../../machine/suggest.js";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { tableText } from "../output/table.js";

/** The operations that have a script. */
export const OPERATIONS = Object.keys(scripts) as readonly Operation[];

/** Lists the scripts and what they take. */
export async function listScripts(context: CliContext, { format }: Settings): Promise<void> {
  if (format === "json") {
    await context.write(`${JSON.stringify(manifest.operations)}\n`);
    return;
  }
  const columns = [
    { title: "OPERATION", value: (operation: Operation) => operation },
    { title: "SHA1", value: (operation: Operation) => scripts[operation].sha1 },
    { title: "KEYS", value: (operation: Operation) => manifest.operations[operation].keys.join(",") },
    { title: "ARGV", value: argumentsOf },
  ];
  await context.write(tableText(columns, OPERATIONS));
}

function argumentsOf(operation: Operation): string {
  const { args, options } = manifest.operations[operation];
  return [...args, ...options.map((option) => `[${option}]`)].join(" ");
}

/** Prints a script's text as it is hashed: with no newline at its end. */
export async function showScript(context: CliContext, operation: string): Promise<void> {
  await context.write(scripts[known(operation)].text);
}

/** Prints a script's SHA-1. */
export async function showSha(context: CliContext, operation: string): Promise<void> {
  await context.write(`${scripts[known(operation)].sha1}\n`);
}

/** Prints the folder of the built scripts. */
export async function showPath(context: CliContext): Promise<void> {
  await context.write(`${fileURLToPath(new URL("../../lua", import.meta.url))}\n`);
}

function known(name: string): Operation {
  const operation = OPERATIONS.find((one) => one === name);
  if (operation !== undefined) return operation;
  const names = OPERATIONS.join(", ");
  throw usageError(`"${name}" is no operation; there are ${names}${didYouMean(name, OPERATIONS)}`);
}
