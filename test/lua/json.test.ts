import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Argument, type Calls, machine } from "../helpers/calls.js";

let calls: Calls;
beforeAll(async () => {
  calls = await machine({
    name: "box",
    version: 1,
    initial: "open",
    history: 1,
    events: { keep: 1 },
    states: { open: {} },
  });
  await calls.ok("create", "b1");
});

/** Returns the document of a change that sets a value, or undefined if the value is rejected as invalid JSON. */
async function set(value: Argument): Promise<Buffer | undefined> {
  const patch = ["patch", "b1", "SET", "value", value] as const;
  const rejection = await calls.run(...patch).then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (rejection !== undefined) {
    expect(rejection).toBe("BADARG SET");
    return undefined;
  }
  const [entry] = (await calls.valkey.callBuffer("XREVRANGE", calls.key("events"), "+", "-", "COUNT", 1)) as [
    [Buffer, [Buffer, Buffer]],
  ];
  return entry[1][1];
}

/** Strict UTF-8 and strict JSON, as every reader may rely on. */
function parsed(document: Buffer): Record<string, unknown> {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(document));
}

const STRINGS = /"(?:[^"\\]|\\.)*"/gs;

/** Accepts the JSON of latchkey: that of JSON.parse without half surrogate pairs, numbers that no double holds and depth. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
  } catch {
    return false;
  }
  const hasHalves = (text.match(STRINGS) ?? []).some((literal) => /\p{Surrogate}/u.test(JSON.parse(literal)));
  const rest = text.replace(STRINGS, '""');
  const numbers = rest.match(/[\d.eE+-]+/g) ?? [];
  const isHeld = numbers.every(
    (number) => number.length <= 100 && (/^e/.test(number) || Number.isFinite(Number(number))),
  );
  return !hasHalves && isHeld && depthOf(rest) <= 100;
}

function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const bracket of text.match(/[[\]{}]/g) ?? []) {
    depth += "[{".includes(bracket) ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

async function check(text: string): Promise<void> {
  const document = await set(text);
  expect({ text, accepted: document !== undefined }).toEqual({ text, accepted: isJson(text) });
  if (document === undefined) return;
  const line = text.replace(/[\t\r\n]/g, ""); // JSON has none of these inside a string
  expect(document.toString().endsWith(`,"value":${line}}`)).toBe(true);
  expect(parsed(document).value).toEqual(JSON.parse(text));
}

const token = fc.constantFrom(
  ...'{ } [ ] , : " \\ 0 1 5 10 - + . e E é / true false null nan inf NaN Infinity 0x10 01 1.5 -0 1e5 1E+5 u0041 \\u'.split(
    " ",
  ),
  '"a"',
  '"k":',
  '"\\n"',
  '"\\u00e9"',
  '"\\ud83d\\ude00"',
  '"\\ud800"',
  '"\\udc00"',
  '"\\ude00\\ud83d"',
  '"\\q"',
  '"é"',
  '"a\nb"',
  '"\u007f"',
  "\u007f",
  "\u0001",
  "\0",
  " ",
  "\n",
  "\t",
  "\r",
  "\f",
  "\v",
  "\u00a0",
  "\ufeff",
  "\u2028",
  "--",
  "[]",
  "{}",
);
const text = fc.oneof(
  fc.array(token, { maxLength: 8 }).map((tokens) => tokens.join("")),
  fc.json(),
  fc.jsonValue().map((value) => JSON.stringify(value, null, 2)),
  fc.double().map((number) => String(number)),
  fc.tuple(fc.json(), fc.nat(), token, fc.boolean()).map(([json, location, put, overwrite]) => {
    const at = location % (json.length + 1);
    return json.slice(0, at) + put + json.slice(at + (overwrite ? 1 : 0));
  }),
  fc.tuple(fc.string({ unit: "binary" }), token).map(([inside, put]) => `"${inside}${put}"`),
);

it("accepts a value exactly when it is JSON, and gives it back in a document that is JSON in one line", async () => {
  const whole = text.filter((candidate) => !/[\ud800-\udfff]/u.test(candidate)); // others cannot be sent as UTF-8
  await fc.assert(fc.asyncProperty(whole, check), { numRuns: 4000 });
});

it("accepts bytes exactly when they are UTF-8", async () => {
  const byte = fc.constantFrom(
    0x00,
    0x1f,
    0x41,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
    0xec,
    0xed,
    0xee,
    0xef,
    0xf0,
    0xf1,
    0xf3,
    0xf4,
    0xf5,
    0xff,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(byte, { maxLength: 5 }), async (inside) => {
      const value = Buffer.from([0x22, ...inside, 0x22]);
      const valid =
        inside.every((one) => one >= 0x20) && Buffer.compare(Buffer.from(value.toString()), value) === 0;
      const document = await set(value);
      expect({ inside, accepted: document !== undefined }).toEqual({ inside, accepted: valid });
      if (document !== undefined) parsed(document);
    }),
    { numRuns: 2000 },
  );
});

it("accepts every edge of UTF-8, and nothing beyond one", async () => {
  const leads = [
    0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4,
    0xf5, 0xff,
  ];
  const seconds = [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0];
  const tails = [
    [],
    [0x7f],
    [0x80],
    [0xbf],
    [0xc0],
    [0x80, 0x7f],
    [0x80, 0x80],
    [0xbf, 0xbf],
    [0xbf, 0xc0],
    [0x80, 0xbf, 0x80],
  ];
  for (const lead of leads) {
    for (const second of seconds) {
      const values = tails.map((tail) => Buffer.from([0x22, lead, second, ...tail, 0x22]));
      const accepted = await Promise.all(values.map(async (value) => (await set(value)) !== undefined));
      const valid = values.map((value) => Buffer.compare(Buffer.from(value.toString()), value) === 0);
      expect({ lead, second, accepted }).toEqual({ lead, second, accepted: valid });
    }
  }
});

describe("rejects as a value", () => {
  it.each([
    "",
    " ",
    "nan",
    "-nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "-Infinity",
    "infinity",
    "0x10",
    "0X1p3",
    "-0x1",
    "01",
    "-01",
    "00",
    "1.",
    "-1.",
    ".5",
    "-.5",
    "+1",
    "-",
    "+",
    "1e",
    "1e+",
    "1.e5",
    "1e5.0",
    "1 2",
    "1,",
    "[1,]",
    "[,1]",
    "{,}",
    '{"a":1,}',
    '{"a"}',
    "{a:1}",
    "{1:1}",
    "{'a':1}",
    "'a'",
    "True",
    "nulL",
    "nul",
    "nullx",
    "undefined",
    "[",
    "]",
    "[nan]",
    "[01]",
    "[1.]",
    "[-]",
    '{"a":+1}',
    '"',
    '"a',
    'a"',
    '""a',
    '"\\"',
    '"\\x41"',
    '"\\u12"',
    '"\\u123g"',
    '"\\U0041"',
    '"\\ud800"',
    '"\\udfff"',
    '"\\ud83d"',
    '"\\ud83dx"',
    '"\\ude00\\ud83d"',
    '"\\ud83d\\ud83d\\ude00"',
    '["\\ud800","\\udc00"]',
    '{"\\ud800":1}',
    '"a\nb"',
    '"a\rb"',
    '"a\tb"',
    '"a\0b"',
    '"a\u0001b"',
    '"a\u001fb"',
    "1\0",
    "\u00001",
    "1\v",
    "1\f",
    "\ufeff1",
    "1\u00a0",
    "// x\n1",
    "/* x */1",
    "1;",
    "--1",
    "- 1",
    "1e 5",
    "1 .5",
    '"a" "b"',
    "true false",
    "truefalse",
    "true1",
    "1true",
    "nullnull",
    '[1 "a"]',
    "[1}",
    "{]",
    "[[]",
    "[]]",
    "#",
    "\\",
    "1_000",
    "1n",
    "0b1",
    "0o7",
    "~1",
    "[1~2]",
    '{"a":1 "b":2}',
    '{"a":1,"b"}',
    '{"a"::1}',
    "[1,,2]",
    "\\n1",
    "1\\n",
    "\\u0031",
  ])("%j", check);

  it.each([
    ["a lone continuation byte", "\x22\x80\x22"],
    ["a sequence cut short", "\x22\xe2\x82\x22"],
    ["an overlong form", "\x22\xc0\xaf\x22"],
    ["a surrogate in UTF-8", "\x22\xed\xa0\xbd\x22"],
    ["a code point beyond the last", "\x22\xf4\x90\x80\x80\x22"],
    ["Latin-1", "\x22caf\xe9\x22"],
    ["broken UTF-8 in a key", "{\x22\xff\x22:1}"],
    ["broken UTF-8 between tokens", "[1\xff]"],
  ])("%s", async (_, bytes) => {
    expect(await set(Buffer.from(bytes, "latin1"))).toBeUndefined();
  });

  it.each([
    ["nested 101 deep", "[".repeat(101) + "]".repeat(101)],
    ["nested 101 deep in objects", `${'{"a":'.repeat(101)}1${"}".repeat(101)}`],
    ["nested 1001 deep", "[".repeat(1001) + "]".repeat(1001)],
    ["nested 101 deep after brackets in a string", `["]]]]","\\"[",${"[".repeat(100)}${"]".repeat(100)}]`],
    ["a number that is too large for a double", "1e400"],
    ["a negative number that is too large for a double", "-1e400"],
    ["the first number that is too large", "1.7976931348623159e308"],
    ["such a number in a list", '["a",-1E309]'],
    ["a number of 101 characters", "1".padEnd(101, "0")],
    ["a fraction of 101 characters", "-0.".padEnd(101, "1")],
    ["a number of 101 characters in a list", `[1,${"1".padEnd(101, "0")}]`],
    ["5000 digits", "1".repeat(5000)],
  ])("a value with %s", async (_, value) => {
    expect(isJson(value)).toBe(false);
    expect(await set(value)).toBeUndefined();
  });
});

describe("accepts as a value", () => {
  it.each([
    "0",
    "-0",
    "-0.0",
    "1E5",
    "1e-5",
    "1.5e+10",
    "1e308",
    "-1e308",
    "1e-400",
    "1.7976931348623157e308",
    "1".padEnd(100, "0"),
    "-0.".padEnd(100, "1"),
    `[${"1".padEnd(100, "0")}, ${"2".padEnd(100, "0")}]`,
    `"${"1".repeat(5000)} [[[ 1e400"`,
    "[".repeat(100) + "]".repeat(100),
    `{"a":[${"[]".concat(",").repeat(200)}1]}`,
    '["[[[","{"]',
    '[1,\n2,\t{"a" :\r\n "b\\n"}]\n',
    "12345678901234567890",
    '""',
    '"a"',
    '"é"',
    '"\u2028"',
    '"\u007f"',
    '"\u{10ffff}"',
    '"\\u0000"',
    '"\\u001f"',
    '"\\ud83d\\ude00"',
    '"\\uD83D\\uDE00"',
    '"\\\\ud800"',
    '"\\\\"',
    '"\\""',
    '"\\/\\b\\f\\n\\r\\t"',
    '"01 nan 1. +1 - 0x10"',
    '{"nan":"inf"}',
    "[]",
    "{}",
    "[[],{}]",
    " [ 1 , 2 ] ",
    "\t\n\r 1 \t\n\r",
    '{"":""}',
    '{"a":{"a":[null,true,false]}}',
    '{"a":1,"a":2}',
    '[-1,-0.5,0.5e1,"-","\\"",1e-1]',
    '"~1"',
    '["~","1~2"]',
    '{"__proto__":1}',
  ])("%j", check);
});
