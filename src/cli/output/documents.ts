import type { CliContext } from "../context.js";
import type { Format } from "../input/formats.js";
import { shownJson } from "./terminal-text.js";

/** A document as it was read, and its text. */
export interface Written {
  readonly machine: string;
  readonly id: string;
  readonly text: string;
}

/** Writes one document, as it is stored, in a format for programs. */
export async function writeDocument(context: CliContext, format: Format, document: Written): Promise<void> {
  await context.write(await oneText(context, format, document));
}

/** Writes documents as they come. JSON becomes an array, YAML a sequence. */
export async function writeDocuments(
  context: CliContext,
  format: Format,
  documents: AsyncIterable<Written> | Iterable<Written>,
): Promise<void> {
  let count = 0;
  for await (const document of documents) {
    if (format === "json") await context.write(count === 0 ? "[\n" : ",\n");
    if (format === "json") await context.write(jsonFor(context, document.text));
    else if (format === "yaml") await context.write(await item(document.text));
    else await context.write(await oneText(context, format, document));
    count += 1;
  }
  if (format === "json") await context.write(count === 0 ? "[]\n" : "\n]\n");
  if (format === "yaml" && count === 0) await context.write("[]\n");
}

/** JSON as it is; on a terminal without the characters that it would act on, which mean the same as escapes. */
export function jsonFor({ isTerminal }: CliContext, json: string): string {
  return isTerminal ? shownJson(json) : json;
}

async function oneText(context: CliContext, format: Format, document: Written): Promise<string> {
  if (format === "name") return `${document.id}\n`; // as every command takes it, so that pipes work
  if (format === "yaml") return yaml(document.text);
  return `${jsonFor(context, document.text)}\n`;
}

async function yaml(json: string): Promise<string> {
  const { yamlOf } = await import("./yaml-text.js");
  return yamlOf(json);
}

/** YAML of a one-item sequence is one item of a longer one. */
function item(json: string): Promise<string> {
  return yaml(`[${json}]`);
}
