/** Describes what a block's info string requests. */
export type Check =
  | { readonly kind: "test"; readonly exit: number }
  | { readonly kind: "file"; readonly name: string }
  | { readonly kind: "skip"; readonly reason: string }
  | { readonly kind: "none" }
  | { readonly kind: "wrong"; readonly problem: string };

/** One fenced block of a Markdown document. */
export interface Snippet {
  readonly language: string;
  readonly check: Check;
  readonly text: string;
  /** Line of the document on which the block's text begins. */
  readonly line: number;
  /** The block that stands right behind this one and shows what it prints. */
  readonly prints?: { readonly language: string; readonly text: string };
}

const FENCE = /^( *)(`{3,}|~{3,})\s*([^\s`]*)\s*([^`]*)$/;
const HINT = /^(test|exit=\d+|(?:file|skip)="[^"]+")(?:\s+|$)/;
const OUTPUT = new Set(["text", "json", "jsonl"]);

/**
 * The fenced blocks of a Markdown document, in order. A `text`, `json` or `jsonl` block without hints behind a block that
 * runs (nothing but prose may stand between) is that block's output, not a block of its own. Mermaid drawings are left
 * out: they claim nothing that can be run.
 */
export function snippets(markdown: string): Snippet[] {
  const found: Snippet[] = [];
  for (const block of fencedBlocks(markdown)) {
    const { language, info, text, line } = block;
    if (language === "mermaid") continue;
    const before = found.at(-1);
    if (info === "" && OUTPUT.has(language) && before?.check.kind === "test" && before.prints === undefined) {
      found[found.length - 1] = { ...before, prints: { language, text } };
    } else {
      found.push({ language, check: readCheck(info), text, line });
    }
  }
  return found;
}

function* fencedBlocks(markdown: string) {
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const [, indent = "", fence, language = "", info = ""] = FENCE.exec(lines[at] ?? "") ?? [];
    if (fence === undefined) continue;
    const start = at + 1;
    do at += 1;
    while (at < lines.length && lines[at]?.trim() !== fence);
    if (at === lines.length) throw new Error(`the block that begins on line ${start} has no end`);
    const body = lines
      .slice(start, at)
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    yield { language, info: info.trim(), text: `${body.join("\n")}\n`, line: start + 1 };
  }
}

function readCheck(info: string): Check {
  const hints = new Map<string, string>();
  for (let rest = info; rest !== ""; ) {
    const [matched, hint = ""] = HINT.exec(rest) ?? [];
    if (matched === undefined) return { kind: "wrong", problem: `"${rest}" is no hint` };
    const [name = "", value = ""] = hint.split(/=(.*)/s);
    hints.set(name, value.replace(/^"|"$/g, ""));
    rest = rest.slice(matched.length);
  }
  const [name, reason] = [hints.get("file"), hints.get("skip")];
  const kinds = [hints.has("test") || hints.has("exit"), name !== undefined, reason !== undefined];
  if (kinds.filter(Boolean).length > 1) return { kind: "wrong", problem: `"${info}" contradicts itself` };
  if (name !== undefined) return { kind: "file", name };
  if (reason !== undefined) return { kind: "skip", reason };
  return hints.size === 0 ? { kind: "none" } : { kind: "test", exit: Number(hints.get("exit") ?? 0) };
}
