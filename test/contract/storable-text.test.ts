import { describe, expect, it } from "vitest";
import { storableText } from "../../src/contract/storable-text.js";
import { errorText } from "../../src/index.js";

describe("a text is made storable:", () => {
  it.each([
    ["an ordinary text stays as it is", " exit 1 ", " exit 1 "],
    ["any language stays as it is", "naïve 日本 😀", "naïve 日本 😀"],
    ["a text of the greatest length stays as it is", "ü".repeat(16), "ü".repeat(16)],
    ["line ends and tabs become spaces", "a\nb\r\n\tc\n", "a b c"],
    ["control characters become spaces", "a\u0000b\u007f\u0085c", "a b c"],
    ["line and paragraph separators become spaces", "a\u2028b\u2029c\u0085d", "a b c d"],
    ["bidirectional controls become spaces", "a\u202eb\u202a\u2066\u2069c", "a b c"],
    ["colours are removed", "\u001b[1;31mError\u001b[39m: boom", "Error: boom"],
    ["links are removed", "\u001b]8;;http://h\u0007here\u001b]8;;\u0007", "here"],
    ["half a surrogate pair is replaced", "aaa\ud83d", "aaa\ufffd"],
    ["a long text is cut", "x".repeat(33), `${"x".repeat(29)}…`],
    ["a long text is cut before a character that does not fit", "ü".repeat(17), `${"ü".repeat(14)}…`],
    ["a long text is cut before a surrogate pair", `${"x".repeat(27)}😀😀`, `${"x".repeat(27)}…`],
    ["nothing remains of control characters", "\u0000\n", ""],
  ])("%s", (_, text, stored) => {
    expect(storableText(text, 32)).toBe(stored);
    expect(Buffer.byteLength(storableText(text, 32))).toBeLessThanOrEqual(32);
  });

  it("lines stay if they are wanted", () => {
    expect(storableText("\u001b[31ma\r\n\tb\u0007\n", 32, true)).toBe("a\n\tb \n");
    expect(storableText("a\u2028b\u202ec\u0085\n", 32, true)).toBe("a b c \n");
  });
});

it("the text of an error is its class and message; any thrown value has a text", () => {
  const thrown = [new RangeError("too\nlong"), "\u001b[31mexit 1\n", undefined, Object.create(null)];
  expect(thrown.map((one) => errorText(one))).toEqual([
    "RangeError: too\nlong",
    "exit 1\n",
    "undefined",
    "[Object: null prototype] {}",
  ]);
});
