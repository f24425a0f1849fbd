import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Operation } from "../../src/lua/index.js";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

/** The path of a file of this repository. */
export const path = (name: string) => fileURLToPath(new URL(name, root));

/** The source of an operation, includes unresolved. */
export const sourceText = (operation: Operation) => read(`lua/${operation}.lua`);

/** Returns the built script, as EVALSHA runs it. */
export const builtText = (operation: Operation) => read(`dist/lua/${operation}.lua`);

/** Reads a piece that operations share: a function, or a step. */
export const pieceText = (name: string) =>
  read(existsSync(new URL(`lua/functions/${name}`, root)) ? `lua/functions/${name}` : `lua/steps/${name}`);

export interface Header {
  readonly keys: readonly { number: string; name: string; pattern: string; type: string }[];
  readonly args: string[];
  readonly options: string[];
  readonly outcomes: string[];
  readonly errors: string[];
}

/** Returns the comment at the top of an operation, by section. */
export function header(operation: Operation): Header {
  return headerOf(`lua/${operation}.lua`, sourceText(operation));
}

/** Reads the header of any script under lua/. */
export function headerOf(file: string, text: string): Header {
  const lines = text.slice(0, text.indexOf("\n\n")).split("\n");
  const section = (title: string) => {
    const start = lines.findIndex((line) => line.startsWith(`-- ${title}`));
    if (start < 0) throw new Error(`${file} has no ${title} in its header`);
    const end = lines.findIndex((line, at) => at > start && !line.startsWith("--  "));
    return lines.slice(start + 1, end < 0 ? undefined : end).map((line) => line.slice(5));
  };
  return {
    keys: section("KEYS").map((line) => {
      const [number = "", name = "", pattern = "", type = ""] = line.split(/\s+/);
      return { number, name, pattern, type };
    }),
    args: section("ARGV").flatMap((line) => /^\d+ (\w+)/.exec(line)?.[1] ?? []),
    options: section("ARGV").flatMap((line) => /^([A-Z]+(?: [a-z]+)*)(?: {2}|$)/.exec(line)?.[1] ?? []),
    outcomes: section("Reply").flatMap((line) => /^([A-Z]{2,}) {2}/.exec(line)?.[1] ?? []),
    errors: section("Errors").flatMap((line) => line.match(/\b[A-Z]{2,}\b/g) ?? []),
  };
}
