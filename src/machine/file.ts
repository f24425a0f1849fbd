import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { codeOf } from "../errors/code-of.js";
import { MachineDefinitionError } from "../errors/machine-definition-error.js";
import { MachineFileError } from "../errors/machine-file-error.js";
import type { MachineDefinition } from "./definition.js";
import { parseSource } from "./file-source.js";
import { toProblem } from "./problem.js";
import { inspectMachine } from "./validate.js";

/**
 * Reads a machine definition from a JSON or YAML file.
 *
 * @param path ends in `.json`, `.yaml` or `.yml`; `-` reads JSON or YAML from standard input
 * @param stdin the stream for `-`. @default process.stdin
 * @returns the checked, frozen definition
 * @throws MachineFileError if the file cannot be read or has another extension
 * @throws MachineDefinitionError if its content is not a valid machine; each problem has its line
 * @example
 * const order = await readMachineFile("order.yaml");
 */
export async function readMachineFile(
  path: string,
  stdin?: AsyncIterable<Uint8Array | string>,
): Promise<MachineDefinition> {
  const name = path === "-" ? "(standard input)" : path;
  const format = path === "-" ? "either" : fileFormat(path);
  const text = decode(name, path === "-" ? await readAll(stdin ?? process.stdin) : await readBytes(path));
  const source = await parseSource(text, format);
  if (source.problems.length > 0) throw new MachineDefinitionError(source.problems, name);
  const { errors, definition } = inspectMachine(source.value);
  if (definition !== undefined) return definition;
  const problems = errors.map((finding) => ({ ...toProblem(finding), line: source.lineOf(finding.keys) }));
  throw new MachineDefinitionError(problems, name);
}

function fileFormat(path: string): "json" | "yaml" {
  const extension = extname(path).toLowerCase();
  if (extension === ".json") return "json";
  if (extension === ".yaml" || extension === ".yml") return "yaml";
  throw new MachineFileError(`machine file ${path}: its name must end in .json, .yaml or .yml`);
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new MachineFileError(`machine file ${path}: ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  const code = codeOf(cause);
  if (code === "ENOENT") return "file not found";
  if (code === "EISDIR") return "is a directory";
  return `cannot be read (${code || String(cause)})`;
}

async function readAll(stdin: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}

/** Decodes UTF-8 and removes a byte order mark. */
function decode(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MachineFileError(`machine file ${name}: is not UTF-8 text`, { cause });
  }
}
