import type { Document, LineCounter } from "yaml";
import { isError } from "../errors/is-error.js";
import { jsonErrorOffset } from "./json-syntax.js";
import type { Keys } from "./json-value.js";
import type { Problem } from "./problem.js";

type Yaml = typeof import("yaml");

/** Holds the parsed text of a machine file. */
export interface Source {
  /** The value; undefined if there are problems. */
  readonly value: unknown;
  /** The problems that prevent parsing. */
  readonly problems: readonly Problem[];
  /** Returns the line, from 1, of a path in the value, or of the nearest existing parent. */
  lineOf(keys: Keys): number;
}

/**
 * Parses JSON or YAML and remembers the lines.
 *
 * @param format `either` parses the text as JSON if it is JSON, else as YAML
 */
export async function parseSource(text: string, format: "json" | "yaml" | "either"): Promise<Source> {
  const json = format === "yaml" ? undefined : readJson(text);
  if (format === "json" && json?.problem !== undefined) return unreadable([json.problem]);
  const isJson = json !== undefined && json.problem === undefined;
  // JSON is also parsed as YAML, which reports lines and duplicate names.
  const yaml = await import("yaml");
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const problems = [...document.errors, ...document.warnings]
    .filter(({ code }) => !isJson || code === "DUPLICATE_KEY")
    .map(({ code, message, pos }) => ({
      path: "",
      message: code === "DUPLICATE_KEY" ? `${nameAt(text, pos[0])} is a duplicate name` : message,
      line: lines.linePos(pos[0]).line,
    }));
  if (problems.length > 0) return unreadable(problems);
  const find = (keys: Keys) => lineNumber(yaml, document, lines, keys);
  if (isJson) return { value: json.value, problems, lineOf: find };
  try {
    return { value: document.toJS(), problems, lineOf: find };
  } catch (cause) {
    // Only aliases can fail here: unknown ones, or an excessive number, which is an attack.
    return unreadable([{ path: "", message: isError(cause) ? cause.message : String(cause) }]);
  }
}

function unreadable(problems: readonly Problem[]): Source {
  return { value: undefined, problems, lineOf: () => 1 };
}

function nameAt(text: string, offset: number): string {
  const name = /^"?([^\s":]*)/.exec(text.slice(offset, offset + 60))?.[1];
  return JSON.stringify(name);
}

function readJson(text: string): { value: unknown; problem?: Problem } {
  try {
    return { value: JSON.parse(text) };
  } catch {
    const offset = jsonErrorOffset(text);
    const line = text.slice(0, offset).split("\n").length;
    const found = /^[\w'.+-]{1,30}|^./u.exec(text.slice(offset))?.[0];
    const message = found === undefined ? "incomplete JSON" : `invalid JSON at ${JSON.stringify(found)}`;
    return { value: undefined, problem: { path: "", message, line } };
  }
}

function lineNumber(yaml: Yaml, document: Document.Parsed, lines: LineCounter, keys: Keys): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const key of keys) {
    if (yaml.isAlias(node)) node = node.resolve(document);
    if (yaml.isSeq(node) && typeof key === "number") node = node.items[key];
    else if (yaml.isMap(node)) {
      const pair = node.items.find((item) => yaml.isScalar(item.key) && String(item.key.value) === key);
      if (pair === undefined) break;
      if (yaml.isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
      continue;
    } else break;
    if (yaml.isNode(node)) offset = node.range?.[0] ?? offset;
  }
  return Math.max(1, lines.linePos(offset).line);
}
