// Builds lua/: resolves the includes and writes, deterministically,
//   dist/lua/<operation>.lua   self-contained, without a trailing newline (so that every way to hash it agrees)
//   dist/lua/latchkey_v2.lua   the same operations as a Valkey Function library
//   dist/lua/manifest.json     operation -> file, sha1, KEYS, ARGV
//   src/lua/index.ts           texts and SHAs, so that bundlers need no file at run time
//   src/lua/reactions.ts       the same for lua/reactions/, and
//   src/lua/maintenance.ts     for lua/maintenance/: scripts of this client outside the protocol
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "lua");
const INCLUDE = /^-- @include ((?:functions|steps)\/[a-z-]+\.lua)$/gm;
const LIBRARY = "latchkey_v2";

/** Returns the text of a script with its includes in place. A missing file throws; an include cannot include another. */
export function expand(operation) {
  const text = readFileSync(join(source, `${operation}.lua`), "utf8");
  return text
    .replace(/^#!lua.*\n/, (shebang) => `${shebang}-- Built from lua/${operation}.lua. Do not edit.\n`)
    .replace(INCLUDE, (_, path) => readFileSync(join(source, path), "utf8").trimEnd())
    .trimEnd();
}

/** The KEYS and ARGV lines of an operation's header, first words only: names, and the option words. */
export function contract(text) {
  const header = text.split("\n").filter((line) => line.startsWith("--"));
  const section = (title) => {
    const start = header.indexOf(`-- ${title}`) + 1;
    const end = header.findIndex((line, at) => at >= start && /^-- [A-Z]/.test(line));
    return header.slice(start, end).map((line) => line.replace(/^--\s+/, ""));
  };
  const numbered = (lines) => lines.flatMap((line) => /^\d+ (\S+)/.exec(line)?.[1] ?? []);
  return {
    keys: numbered(section("KEYS")),
    args: numbered(section("ARGV")),
    options: section("ARGV").flatMap((line) => /^([A-Z]+(?: [a-z]+)*)(?: {2}|$)/.exec(line)?.[1] ?? []),
    outcomes: Object.fromEntries(
      section("Reply [outcome, document, position]").flatMap((line) => {
        const [, outcome, kind] =
          /^([A-Z]{2,}) {2,}(?:the )?(change|snapshot or null|snapshot|null|\{)/.exec(line) ?? [];
        return outcome === undefined ? [] : [[outcome, kind === "{" ? "report" : kind]];
      }),
    ),
    errors: section("Errors").flatMap((line) => line.match(/\b[A-Z]{2,}\b/g) ?? []),
    ...permissions(text),
  };
}

/** The flags of a script, and the commands that it runs or checks: what its user needs besides EVALSHA. */
function permissions(text) {
  const commands = [...text.matchAll(/\b(?:call|may)\('([A-Z]+)'(?:, '(STREAM)')?/g)].map(
    ([, command, sub]) => (sub === undefined ? command : `${command}|${sub}`).toLowerCase(),
  );
  const flags = /^#!lua.*flags=(\S+)/.exec(text)?.[1].split(",") ?? [];
  return { flags, permissions: [...new Set(commands)].sort() };
}

function library(scripts) {
  const functions = scripts.map(({ operation, text }) => {
    const [shebang = ""] = text.split("\n", 1);
    const flags = /flags=(\S+)/.exec(shebang)?.[1].split(",") ?? [];
    const body = text
      .slice(shebang.length + 1)
      .replace(/^/gm, "  ")
      .replace(/ +$/gm, "");
    const listed = flags.map((flag) => `'${flag}'`).join(", ");
    return `redis.register_function{function_name='${LIBRARY}_${operation}', flags={${listed}}, callback=function(KEYS, ARGV)\n${body}\nend}`;
  });
  return `#!lua name=${LIBRARY}\n${functions.join("\n")}`;
}

/** Writes the module of the scripts in a folder of lua/ outside the protocol. */
function writeScripts(folder, name, docstring) {
  const files = readdirSync(join(source, folder)).filter((file) => file.endsWith(".lua"));
  const entries = files.sort().map((file) => {
    const text = expand(`${folder}/${file.slice(0, -4)}`);
    return entry(file.slice(0, -4), text, createHash("sha1").update(text).digest("hex"));
  });
  writeFileSync(
    join(root, `src/lua/${folder}.ts`),
    `// Built from lua/${folder}/. Do not edit.
import type { Script } from "./index.js";

/** ${docstring} */
export const ${name} = {
${entries.join("\n")}
} as const satisfies Record<string, Script>;
`,
  );
}

function entry(name, text, sha1) {
  return `  ${name}: { sha1: "${sha1}", text: ${JSON.stringify(text)} },`;
}

/** Writes everything that is made of lua/. */
export function buildLua() {
  const operations = readdirSync(source)
    .filter((name) => name.endsWith(".lua"))
    .map((name) => name.slice(0, -4))
    .sort();
  const scripts = operations.map((operation) => {
    const text = expand(operation);
    return { operation, text, sha1: createHash("sha1").update(text).digest("hex"), ...contract(text) };
  });
  const out = join(root, "dist/lua");
  mkdirSync(out, { recursive: true });
  mkdirSync(join(root, "src/lua"), { recursive: true });
  for (const { operation, text } of scripts) writeFileSync(join(out, `${operation}.lua`), text);
  writeFileSync(join(out, `${LIBRARY}.lua`), library(scripts));
  const manifest = {
    ...JSON.parse(readFileSync(join(source, "manifest.json"), "utf8")),
    operations: Object.fromEntries(
      scripts.map(({ operation, text: _, ...described }) => [
        operation,
        { file: `${operation}.lua`, function: `${LIBRARY}_${operation}`, ...described, operation: undefined },
      ]),
    ),
  };
  writeFileSync(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const entries = scripts.map(({ operation, text, sha1 }) => entry(operation, text, sha1));
  writeFileSync(
    join(root, "src/lua/index.ts"),
    `// Built from lua/. Do not edit.
/**
 * Holds the Lua scripts as texts, for programs that run them with a client of their own.
 *
 * @module latchkey/lua
 */

/** One server-side script: its text, and the SHA-1 by which EVALSHA calls it. */
export interface Script {
  readonly sha1: string;
  readonly text: string;
}

/** The name of an operation that has a script. */
export type Operation = ${operations.map((operation) => JSON.stringify(operation)).join(" | ")};

/** Every operation's script, ready for EVALSHA. */
export const scripts: Readonly<Record<Operation, Script>> = {
${entries.join("\n")}
};

/** The same operations as a Valkey Function library, for FUNCTION LOAD. */
export const library: string = ${JSON.stringify(library(scripts))};

/** Describes one operation, as the header of its script does. */
export interface OperationContract {
  /** The script's file in latchkey/lua/. */
  readonly file: string;
  /** SHA-1 of the script, for EVALSHA. */
  readonly sha1: string;
  /** The operation's function in the library, for FCALL. */
  readonly function: string;
  /** The keys to pass, in this order. */
  readonly keys: readonly string[];
  /** The positional arguments, in this order. */
  readonly args: readonly string[];
  /** The option words that may follow, each with its values. */
  readonly options: readonly string[];
  /** The outcome words that a reply can begin with, each with the kind of document that follows. */
  readonly outcomes: Readonly<Record<string, "change" | "snapshot" | "snapshot or null" | "null" | "report">>;
  /** The first words of its own error replies. */
  readonly errors: readonly string[];
  /** The flags of the script, such as allow-oom. */
  readonly flags: readonly string[];
  /** The commands that its user needs a permission for, besides EVALSHA. */
  readonly permissions: readonly string[];
}

/** Describes every operation: its keys, arguments, options and outcomes. */
export const manifest: {
  /** The version of the wire contract. */
  readonly contract: number;
  /** The function from an id to its partition. */
  readonly partition: string;
  /** The names of all keys, by what they hold. */
  readonly keys: Readonly<Record<string, string>>;
  /** The channel on which changes are published. */
  readonly channel: string;
  /** Regular expressions of all names and arguments. */
  readonly patterns: Readonly<Record<string, string>>;
  /** Names that no own field can have. */
  readonly reservedFields: readonly string[];
  /** The limits of sizes and numbers. */
  readonly limits: Readonly<Record<string, number>>;
  /** The first words of the scripts' own error replies, and what each means. */
  readonly errors: Readonly<Record<string, string>>;
  /** The file of the Function library in latchkey/lua/. */
  readonly library: string;
  /** The operations by name. */
  readonly operations: Readonly<Record<Operation, OperationContract>>;
} = ${JSON.stringify(manifest)};
`,
  );
  writeScripts("reactions", "reactionScripts", "Lists the scripts by which replicas share a reaction.");
  writeScripts("maintenance", "maintenanceScripts", "Lists the scripts that fsck runs.");
}
