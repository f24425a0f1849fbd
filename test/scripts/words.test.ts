import { fileURLToPath } from "node:url";
import { fromYAMLFilePath } from "prh";
import { describe, expect, test } from "vitest";
import { hitsIn } from "../../scripts/words/check.mjs";

const WORDS = fileURLToPath(new URL("../../scripts/words/words.yml", import.meta.url));

/** Returns a source file's hits as `line: phrase`. */
async function hits(path: string, source: string): Promise<string[]> {
  return (await hitsIn(path, source)).map(({ line, phrase }) => `${line}: ${phrase}`);
}

// Loading the list checks that each example becomes what it says.
test.each(fromYAMLFilePath(WORDS).rules)("the list has an example for: $expected", ({ specs }) => {
  expect(specs.filter(({ from, to }) => from !== to)).not.toEqual([]);
});

describe("in TypeScript", () => {
  test("a phrase in a comment is found on its line, also across a line break", async () => {
    const source = "const a = 1; // fine\n\n// A replica gives a sign\n// of life.\n/* It\n * is told */\n";
    expect(await hits("src/a.ts", source)).toEqual(["3: sign of life", "6: told"]);
  });

  test("a phrase in a string is found, also across values, pieces and lines", async () => {
    const source = [
      `const text = \`id \${id} can't be read\`;`,
      'const help = "all machines by " +',
      '  "turns, in order";',
      'const rest = "a " + text + " refused change";',
      `const inner = \`it is \${isOld ? "a thing that mends" : ""} here\`;`,
    ].join("\n");
    expect(await hits("src/a.ts", source)).toEqual(["1: can't", "2: by turns", "4: refused", "5: mends"]);
  });

  test("imports, types, single words and code spans are not prose", async () => {
    const source = [
      'import { mend } from "./told me/mend.js";',
      'type Outcome = "is told" | "refused";',
      'const outcome = "refused";',
      'const text = "use `mend` or `it is told` instead";',
      "// `refused` is the outcome, {@link mend} the function, shared/rights.lua the file",
      "/**",
      " * Repairs it.",
      " * ```ts",
      ' * mend("told");',
      " * ```",
      " */",
    ].join("\n");
    expect(await hits("src/a.ts", source)).toEqual([]);
  });

  test.each(["What", "Who", "How", "Where", "That", "Whether", "The same"])(
    "a docstring that begins with %s is found",
    async (word) => {
      const begin = `export const a = 1;\n/**\n * ${word} a reader sees. */\nexport const b = 2;`;
      expect(await hits("src/a.ts", begin)).toEqual([`3: ${word}`]);
      expect(
        await hits("src/a.ts", `/** Returns ${word.toLowerCase()} value. */\n// ${word} a comment says.`),
      ).toEqual([]);
    },
  );

  test("of a test, titles are checked and other strings are not", async () => {
    const source = [
      'describe.each(rows)("a refused change", () => {',
      `  it.skipIf(isSlow)(\`should work for \${id}\`, () => expect(text).toBe("is told"));`,
      '  test("returns what it should", async () => {});',
      "});",
    ].join("\n");
    expect(await hits("test/a.test.ts", source)).toEqual(["1: refused", "2: should", "3: should"]);
  });
});

test("comments of Lua are checked, its strings are not", async () => {
  const source = [
    'local a = "-- told" -- mends it',
    "--[[ The lease",
    "ran out. ]]",
    "local b = [[ -- told ]]",
  ].join("\n");
  expect(await hits("lua/a.lua", source)).toEqual(["1: mends", "3: ran out"]);
});

test("Markdown is checked, also in links, tables and wrapped lines, but not in code", async () => {
  const source = [
    "# The lease ran out",
    "",
    "A file that `mend` can't read gives a sign",
    "of life. [It is **told**](told.md).",
    "",
    "| a | b |",
    "|---|---|",
    "| `told` | is no duration |",
    "",
    "```text",
    "it is told",
    "```",
  ].join("\n");
  expect(await hits("docs/a.md", source)).toEqual([
    "1: ran out",
    "3: can't",
    "3: sign of life",
    "4: told",
    "8: is no",
  ]);
});

test("a hit names the better word", async () => {
  expect(await hitsIn("README.md", "machines by turns")).toEqual([
    { line: 1, phrase: "by turns", better: "round-robin / alternately" },
  ]);
});

test("a file of another kind has no hits", async () => {
  expect(await hits("schema/a.json", '{ "told": "is told" }')).toEqual([]);
});
