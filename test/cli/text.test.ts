import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { usageError } from "../../src/cli/cli-error.js";
import { EXIT, EXIT_MEANINGS, exitCodeOf } from "../../src/cli/exit-codes.js";
import { defaultActor } from "../../src/cli/input/actor.js";
import { firstRoundedNumber } from "../../src/cli/input/rounded-number.js";
import { ageText } from "../../src/cli/output/ages.js";
import { jsonMembers } from "../../src/cli/output/own-fields.js";
import { TableLines, tableText } from "../../src/cli/output/table.js";
import { shownText } from "../../src/cli/output/terminal-text.js";
import { yamlOf } from "../../src/cli/output/yaml-text.js";
import { shellWord } from "../../src/cli/shell-command.js";
import {
  ConnectError,
  ContractError,
  DeadlineExceededError,
  GapError,
  LayoutError,
  MachineInUseError,
  NotExecutedError,
  OutcomeForgottenError,
} from "../../src/index.js";

test.each([
  [-5, "0s"],
  [999, "0s"],
  [5_400, "5s"],
  [119_000, "119s"],
  [192_000, "3m12s"],
  [180_000, "3m"],
  [4 * 3_600_000, "4h"],
  [4.5 * 3_600_000, "4h30m"],
  [2 * 86_400_000, "2d"],
  [30 * 86_400_000, "30d"],
])("an age of %s ms is %s", (ms, text) => {
  expect(ageText(ms)).toBe(text);
});

describe("JSON", () => {
  test("splits into members whose texts mean what the whole means", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()),
        fc.boolean(),
        (object, isWide) => {
          const json = JSON.stringify(object, null, isWide ? 2 : undefined);
          const members = [...jsonMembers(json)].map(([key, text]) => [key, JSON.parse(text)]);
          expect(Object.fromEntries(members)).toEqual(JSON.parse(json));
        },
      ),
    );
  });

  test("keeps the digits of a member's number", () => {
    expect([...jsonMembers('{"a":1.50,"b":[1e400, -0],"c":"1,2}"}')]).toEqual([
      ["a", "1.50"],
      ["b", "[1e400,-0]"],
      ["c", '"1,2}"'],
    ]);
  });

  test("becomes YAML that means the same, texts that look like something else included", async () => {
    const tricky = {
      a: "true",
      b: "12",
      c: "2026-01-01",
      d: "~",
      e: "- x",
      f: "a: b",
      g: "\n",
      h: {},
      i: [[1]],
      j: "",
    };
    const { parse } = await import("yaml");
    expect(parse(await yamlOf(JSON.stringify(tricky)))).toEqual(tricky);
    expect(await yamlOf('{"n":12345678901234567890,"m":[1.50,-0.0]}')).toBe(
      "n: 12345678901234567890\nm:\n  - 1.50\n  - -0.0\n",
    );
  });
});

describe("numbers", () => {
  test("that JavaScript writes are never called rounded", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(firstRoundedNumber(JSON.stringify(number))).toBeUndefined();
      }),
    );
  });

  test.each(["12345678901234567890", "1e400", "0.1234567890123456789", "-0", "9007199254740993"])(
    "%s is called rounded, inside of other values too",
    (number) => {
      expect(firstRoundedNumber(`{"a":["1",{"b":${number}}]}`)).toBe(number);
    },
  );

  test.each(["1.50", "100", "1e3", "0.0", "1E-7", '"12345678901234567890"'])("%s is not", (json) => {
    expect(firstRoundedNumber(json)).toBeUndefined();
  });
});

test("a word for a shell is that word", () => {
  const words = ["a1", "~", "=x", "a=~b", "it's", "$(id)", "a b", "", "run:x=1@a", "`id`", "*", "\\", "-x"];
  const { stdout } = spawnSync("bash", ["-c", `printf '%s\\n' ${words.map(shellWord).join(" ")}`], {
    encoding: "utf8",
  });
  expect(stdout.split("\n").slice(0, -1)).toEqual(words);
});

describe("a table", () => {
  const columns = [
    { title: "ID", value: (row: string) => row },
    { title: "SIZE", value: (row: string) => (row === "" ? undefined : String(row.length)) },
  ];

  test("is as wide as its widest cell, and shows absent values", () => {
    expect(tableText(columns, ["a", "bcd", ""])).toBe(
      "ID       SIZE\na        1\nbcd      3\n<none>   <none>\n",
    );
    expect(tableText(columns, [])).toBe("ID   SIZE\n");
  });

  test("is aligned if characters take two columns or none", () => {
    // "e" with a combining accent takes one column, each ideograph, full-width sign, Hangul syllable and emoji two.
    const rows = ["操作者", "e\u0301mile👍", "한국！", "👩‍💻", "cli:ann"];
    const lines = tableText(columns, rows).trimEnd().split("\n");
    const starts = lines.map((line) => /^.*?(?=(\d+|SIZE)$)/u.exec(line)?.[0] ?? "");
    expect(starts).toEqual([
      `ID${" ".repeat(8)}`,
      `操作者${" ".repeat(4)}`,
      `e\u0301mile👍${" ".repeat(3)}`,
      `한국！${" ".repeat(4)}`,
      `👩‍💻${" ".repeat(8)}`,
      `cli:ann${" ".repeat(3)}`,
    ]);
  });

  test("holds rows back until the widths are known, then no more", () => {
    const table = new TableLines(columns);
    const given = Array.from({ length: 201 }, (_, at) => table.add(`row${at}`));
    expect(given.slice(0, 199).join("")).toBe("");
    expect(given[199]?.split("\n")).toHaveLength(202);
    expect(given[200]).toBe("row200   6\n");
    expect(table.end()).toBe("");
  });
});

test("shown text is the text itself with control characters escaped", () => {
  expect(shownText("naïve 日本 \u001b[2J\u0000\u0085\u202e")).toBe(
    String.raw`naïve 日本 \u001b[2J\u0000\u0085\u202e`,
  );
});

test("the default actor names the user and the host", () => {
  expect(defaultActor({})).toMatch(/^cli:.+@.+$/);
});

describe("exit codes", () => {
  test.each([
    [usageError("x"), EXIT.usage],
    [new ContractError("BADARG", "x"), EXIT.usage],
    [new ContractError("NOMACHINE", "x"), EXIT.notFound],
    [new OutcomeForgottenError("FORGOTTEN", "x", "agent", "a1", null), EXIT.conflict],
    [new DeadlineExceededError("EXPIRED", "x", "agent", "a1", null), EXIT.timedOut],
    [new MachineInUseError("x", "agent", 2, "STATES", { a: 1 }), EXIT.conflict],
    [new MachineInUseError("x", "agent", 2, "LOWER", {}), EXIT.versionMismatch],
    [new GapError("agent", "1-0", "2-0"), EXIT.conflict],
    [new ConnectError("valkey://h:1", "refused"), EXIT.unreachable],
    [new NotExecutedError("x", "OOM"), EXIT.unreachable],
    [Object.assign(new Error("x"), { code: "UNKNOWN" }), EXIT.unreachable],
    [new LayoutError("x"), EXIT.versionMismatch],
    [Object.assign(new Error("x"), { code: "toString" }), EXIT.unexpected],
    [new TypeError("x"), EXIT.unexpected],
    ["no error at all", EXIT.unexpected],
  ])("%s has the exit code of its kind", (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });

  test("are all documented, each once", () => {
    expect(EXIT_MEANINGS.map(([code]) => code)).toEqual(Object.values(EXIT));
  });
});
