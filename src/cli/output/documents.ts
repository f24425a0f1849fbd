import { documentText, type Snapshot } from "../../contract/document.js";
import type { CliContext } from "../context.js";
import { type Format, isForPeople } from "../input/formats.js";
import { type Column, TableLines } from "./table.js";
import { shownText } from "./terminal-text.js";

/** A JSON document as programs get it, and its id for `-o name`. */
export interface Written {
  readonly id: string;
  readonly text: string;
}

/** Returns an entity or a change as it is stored, with every digit. */
export function stored(document: Snapshot): Written {
  return { id: document.id, text: documentText(document) };
}

/** Returns what a change did as it is stored, with every digit. */
export function asText(entry: object): Written {
  return { id: "", text: documentText(entry) };
}

/** Returns a value that is not stored anywhere as a document. */
export function asJson(value: unknown, id = ""): Written {
  return { id, text: JSON.stringify(value) };
}

/** Writes one result: `text` in formats for people, the document in formats for programs. */
export async function writeResult(
  context: CliContext,
  format: Format,
  document: Written,
  text: string,
): Promise<void> {
  await context.write(isForPeople(format) ? text : await oneText(context, format, document));
}

/** Writes one document in a format for programs. */
export async function writeDocument(context: CliContext, format: Format, document: Written): Promise<void> {
  await context.write(await oneText(context, format, document));
}

/** The rows of a result and both of their forms. */
export interface Rows<R> {
  readonly rows: AsyncIterable<R> | Iterable<R>;
  readonly columns: readonly Column<R>[];
  readonly document: (row: R) => Written;
  /** Rows arrive over time: each is written at once. */
  readonly isLive?: boolean;
}

/** Writes rows as they arrive: a table in formats for people, documents in formats for programs. */
export async function writeRows<R>(
  context: CliContext,
  format: Format,
  { rows, columns, document, isLive = false }: Rows<R>,
): Promise<void> {
  if (!isForPeople(format)) return writeDocuments(context, format, converted(rows, document));
  const table = new TableLines(columns, isLive);
  await context.write(table.start());
  for await (const row of rows) await context.write(table.add(row));
  await context.write(table.end());
}

async function* converted<R>(
  rows: AsyncIterable<R> | Iterable<R>,
  document: (row: R) => Written,
): AsyncGenerator<Written, void> {
  for await (const row of rows) yield document(row);
}

/** Writes documents as they arrive in a format for programs. JSON becomes an array, YAML a sequence. */
export async function writeDocuments(
  context: CliContext,
  format: Format,
  documents: AsyncIterable<Written> | Iterable<Written>,
): Promise<void> {
  let count = 0;
  for await (const document of documents) {
    if (format === "json") await context.write(count === 0 ? "[\n" : ",\n");
    if (format === "json") await context.write(jsonFor(context, document.text));
    // YAML of a list with one item is one item of a longer list.
    else if (format === "yaml") await context.write(await yaml(`[${document.text}]`));
    else await context.write(await oneText(context, format, document));
    count += 1;
  }
  if (format === "json") await context.write(count === 0 ? "[]\n" : "\n]\n");
  if (format === "yaml" && count === 0) await context.write("[]\n");
}

/** Returns JSON as it is; for a terminal, with control characters as escapes. */
export function jsonFor({ isTerminal }: CliContext, json: string): string {
  return isTerminal ? shownText(json) : json;
}

async function oneText(context: CliContext, format: Format, document: Written): Promise<string> {
  if (format === "name") return `${document.id}\n`; // as every command accepts it, so that pipes work
  if (format === "yaml") return yaml(document.text);
  return `${jsonFor(context, document.text)}\n`;
}

async function yaml(json: string): Promise<string> {
  const { yamlOf } = await import("./yaml-text.js");
  return yamlOf(json);
}
