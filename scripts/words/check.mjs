// Finds what breaks the rules of language: phrases of the word list everywhere, and how docstrings and test titles are worded.
import { fileURLToPath } from "node:url";
import { fromYAMLFilePath } from "prh";
import { createLinter, loadTextlintrc } from "textlint";
import { codeTexts } from "./code-texts.mjs";
import { luaTexts } from "./lua-texts.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const words = fromYAMLFilePath(fileURLToPath(new URL("words.yml", import.meta.url)));
const linter = createLinter({
  cwd: root,
  descriptor: await loadTextlintrc({
    configFilePath: fileURLToPath(new URL("../../.textlintrc.json", import.meta.url)),
  }),
});

/** Rules for texts of one kind, in addition to the word list. */
const WORDING = {
  docstring: {
    pattern: /(?<!\S\s*)(?:What|Who|How|Where|That|Whether|The\s+same)\b/,
    better: "begin with a verb",
  },
  title: { pattern: /\bshould\b/i, better: "state what happens, in the present tense" },
};

/** Returns the hits in a file, `{ line, phrase, better }`, in the order of lines; none for a file without prose. */
export async function hitsIn(path, source) {
  if (path.endsWith(".md")) return markdownHits(path, source);
  const texts = textsOf(path, source);
  const starts = lineStarts(source);
  return texts
    .flatMap((text) => textHits(text))
    .map(({ index, ...hit }) => ({ line: starts.findLastIndex((start) => start <= index) + 1, ...hit }))
    .sort((a, b) => a.line - b.line);
}

async function markdownHits(path, source) {
  const { messages } = await linter.lintText(source, path);
  return messages.map(({ line, message }) => {
    const [phrase, better] = message.split(" => ");
    return { line, phrase: oneLine(phrase), better };
  });
}

function textsOf(path, source) {
  if (path.endsWith(".lua")) return luaTexts(source);
  // The strings of tests are examples and expectations, so of those only the titles are prose.
  if (/\.(?:ts|mjs|js)$/.test(path))
    return codeTexts(source, { titles: /(?:^|\/)test\/|\.test\.ts$/.test(path) });
  return [];
}

function textHits({ kind, start, text }) {
  const listed = words.makeChangeSet("", text).diffs.map(({ index, matches, newText }) => ({
    index: start + index,
    phrase: oneLine(matches[0]),
    better: newText,
  }));
  const worded = WORDING[kind]?.pattern.exec(text) ?? null;
  if (worded === null) return listed;
  return [
    { index: start + worded.index, phrase: oneLine(worded[0]), better: WORDING[kind].better },
    ...listed,
  ];
}

function oneLine(phrase) {
  return phrase.replace(/\s+/g, " ").trim();
}

function lineStarts(source) {
  return [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
}
