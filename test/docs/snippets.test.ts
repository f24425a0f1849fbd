import { describe, expect, test } from "vitest";
import { startValkey } from "../../src/testing/index.js";
import { freshFolder } from "../helpers/folder.js";
import { comparableJson, comparableLines, firstDifference } from "../helpers/output.js";
import { Reader } from "../helpers/reader.js";
import { snippets } from "../helpers/snippets.js";

function block(info: string, ...lines: string[]): string {
  return ["```".concat(info), ...lines, "```", ""].join("\n");
}

/** Follows each block of a document and returns "ok", or the difference. */
async function follow(...blocks: string[]): Promise<string[]> {
  const document = snippets(blocks.join("\n"));
  await using server = await startValkey();
  const reader = await Reader.open(await freshFolder(), server, document);
  const results: string[] = [];
  for (const snippet of document) {
    const answer = await reader.follow(snippet).catch((error: unknown) => error);
    results.push(answer instanceof Error ? answer.message : "ok");
  }
  return results;
}

describe("a document's blocks", () => {
  test("are found with their language, hint, line and output", () => {
    const found = snippets(
      [
        "# Title",
        block("bash test", "echo 1"),
        "prose",
        block("text", "1"),
        block("mermaid", "a"),
        block("ts"),
      ].join("\n"),
    );
    expect(found).toEqual([
      {
        language: "bash",
        check: { kind: "test", exit: 0 },
        text: "echo 1\n",
        line: 3,
        prints: { language: "text", text: "1\n" },
      },
      { language: "ts", check: { kind: "none" }, text: "\n", line: 16 },
    ]);
  });

  test.each([
    ["test exit=5", { kind: "test", exit: 5 }],
    ["exit=5", { kind: "test", exit: 5 }],
    ['file="machine.yaml"', { kind: "file", name: "machine.yaml" }],
    ['skip="keeps running"', { kind: "skip", reason: "keeps running" }],
    ["skip", { kind: "wrong", problem: '"skip" is no hint' }],
    ['test file="a"', { kind: "wrong", problem: '"test file="a"" contradicts itself' }],
  ])("take the hint %s", (hint, check) => {
    expect(snippets(block(`bash ${hint}`, "true"))[0]?.check).toEqual(check);
  });

  test.each([
    ["indented, as in a list", "1. first\n\n   ```bash test\n   echo 1\n     echo 2\n   ```\n"],
    ["deeply indented", "      ```bash test\n      echo 1\n        echo 2\n      ```\n"],
    ["fenced by tildes", "~~~bash test\necho 1\n  echo 2\n~~~\n"],
  ])("may be %s", (_, markdown) => {
    expect(snippets(markdown)).toMatchObject([{ check: { kind: "test" }, text: "echo 1\n  echo 2\n" }]);
  });

  test("must end", () => {
    expect(() => snippets("# Title\n```bash\ntrue\n")).toThrow("the block that begins on line 2 has no end");
  });
});

describe("following a document", () => {
  test("runs its commands and programs on a server of its own, in order", async () => {
    const results = await follow(
      block('json file="greeting/a.json"', '{"hello":"world"}'),
      block(
        "bash test",
        'valkey-cli -e -u "$VALKEY_URL" SET greeting "$(cat greeting/a.json)"',
        "",
        "echo done",
      ),
      block("text", "OK", "done"),
      block(
        "ts test",
        'import { Valkey } from "iovalkey";',
        'const valkey = new Valkey("valkey://localhost:6379");',
        'const greeting: string | null = await valkey.get("greeting");',
        "console.log(greeting);",
        "valkey.disconnect();",
      ),
      block("json", "{", '  "hello": "world"', "}"),
      block('ts file="answer.ts"', "export const answer: number = 42;"),
      block("ts test", 'import { answer } from "./answer.js";', "console.log(answer);"),
      block("text", "42"),
      block("python test", "import os", "print(os.environ['VALKEY_URL'].startswith('valkey://'))"),
      block("text", "True"),
      block("bash exit=3", "exit 3"),
      block("yaml test", "a: 1"),
    );
    expect(results).toEqual(results.map(() => "ok"));
  });

  test("reports the difference and its place", async () => {
    const results = await follow(
      block("bash", "true"),
      block("", "plain"),
      block("text test", "plain"),
      block("bash maybe", "true"),
      block("bash test", "true", "test -e nowhere", "echo not reached"),
      block("bash exit=3", "true"),
      block("bash test", "echo one"),
      block("text", "two"),
      block("bash test", "echo '[1]'"),
      block("json", "[2]"),
      block("ts test", 'import { connect } from "latchkey";', "connect({ url: 6379 }).catch(() => {});"),
      block("ts test", 'throw new Error("at run time");'),
      block("json test", "{"),
      block("yaml test", "a: [1"),
      block("python test", "exit(4)"),
    );
    expect(results).toEqual([
      'a bash block without a hint: write bash test, or skip="why"',
      'a plain block without a hint: write text test, or skip="why"',
      'there is no way to run text; use skip="why"',
      '"maybe" is no hint',
      expect.stringMatching(/^ended with 1 instead of 0:\nline 19: exit 1 of: test -e nowhere\n$/),
      expect.stringContaining("ended with 0 instead of 3"),
      expect.stringContaining("documented: two\nprinted: one\n"),
      expect.stringContaining("prints something else"),
      expect.stringContaining("Type 'number' is not assignable to type 'string'"),
      expect.stringContaining("at run time"),
      expect.stringContaining("JSON"),
      expect.stringContaining("sequence"),
      expect.stringContaining("ended with 4 instead of 0"),
    ]);
  });
});

describe("comparing what a document shows with what is printed", () => {
  test("leaves out times, ages, ops, cursors, ports and the width of columns", () => {
    const documented =
      'a1     running   3m12s\nop: "x" op k3-_x at 2026-11-22T10:27:03.197Z on localhost:6379 1763807223197-0';
    const printed =
      'a1  running  5s\nop: "x" op zzz at 2027-01-01T00:00:00.001Z on 127.0.0.1:40001 1863807223197-12';
    expect(comparableLines(documented)).toEqual(comparableLines(printed));
  });

  test("keeps states, versions and names", () => {
    for (const [one, other] of [
      ["a1 running 3s", "a1 failed 3s"],
      ["version 2", "version 3"],
      ["  indented", "indented"],
    ] as const) {
      expect(comparableLines(one)).not.toEqual(comparableLines(other));
    }
  });

  test("reads JSON however it is spaced, one value or one per line", () => {
    expect(comparableJson('{"op":"a","at":"2026-11-22T10:27:03.197Z","n":[1]}')).toEqual(
      comparableJson('{\n "op": "b",\n "at": "2027-11-22T10:27:03.197Z",\n "n": [1]\n}'),
    );
    expect(comparableJson('{"n":1}\n{"n":2}\n')).toEqual([{ n: 1 }, { n: 2 }]);
    expect(comparableJson("oops")).toEqual(["no JSON: oops"]);
  });

  test.each([
    ["equal lines", ["a", "b"], ["a", "b"], undefined],
    ["an ellipsis in the middle", ["a", "…", "d"], ["a", "b", "c", "d"], undefined],
    ["an ellipsis for nothing", ["a", "...", "b"], ["a", "b"], undefined],
    ["an ellipsis at the end", ["a", "…"], ["a", "b"], undefined],
    ["a missing line", ["a", "b"], ["a"], "documented: b\nprinted: nothing more"],
    ["a line too much", ["a"], ["a", "b"], "documented: nothing more\nprinted: b"],
    ["a line that never comes after an ellipsis", ["…", "z"], ["a"], "documented: z\nprinted: a"],
  ])("finds %s", (_, documented, printed, difference) => {
    expect(firstDifference(documented, printed)).toBe(difference);
  });
});
