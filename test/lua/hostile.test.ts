import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { manifest, type Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, machine, op } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

let location: Calls;
let before: Record<string, unknown>;
beforeAll(async () => {
  location = await machine(parcel);
  await location.ok("create", "p1", "SET", "m", "1", ...op("o1"));
  before = await keyspace(location.valkey, location.namespace);
});
afterAll(async () => expect(await keyspace(location.valkey, location.namespace)).toEqual(before));

const bytes = (text: string) => Buffer.from(text, "latin1");

/** Words that are wrong wherever a name is asked for. */
const NO_NAMES: readonly (readonly [what: string, value: Argument])[] = [
  ["empty", ""],
  ["braces", "{a}"],
  ["a line feed", "a\nb"],
  ["CRLF and a reply of its own", "a\r\n+OK\r\n$3\r\nevil\r\n"],
  ["a line feed at the end", "a\n"],
  ["a glob", "a*"],
  ["a glob's set", "[a-z]?"],
  ["double quotes", 'a"b'],
  ["single quotes", "a'b"],
  ["a NUL", "a\0b"],
  ["a NUL at the end", "a\0"],
  ["10 kB", "a".repeat(10_240)],
  ["a blank", "a b"],
  ["a comma", "a,b"],
  ["a backslash", "a\\b"],
  ["a letter beyond ASCII", "é"],
  ["broken UTF-8", bytes("a\xff")],
  ["a control character", "a\x01"],
  ["a pattern of Lua", "%a"],
  ["Lua", "a'..redis.call('FLUSHALL')..'"],
];
/** Invalid names of states and fields, and invalid texts. */
const NO_STATES: typeof NO_NAMES = [
  ...NO_NAMES,
  ["a digit first", "1a"],
  ["a capital", "Sent"],
  ["33 long", "a".repeat(33)],
];
const RESERVED =
  "type machine id from state version timestamp since createdAt created dueAt actor reason op opVersion forced";
const NO_FIELDS: typeof NO_NAMES = [
  ...NO_NAMES,
  ["a dash", "a-b"],
  ["a dot", "a.b"],
  ["a digit first", "1a"],
  ["65 long", "a".repeat(65)],
  ["an internal field with a colon", "ops:forgot"],
  ...RESERVED.split(" ").map((word) => [`the reserved word ${word}`, word] as const),
];
const NO_TEXTS: typeof NO_NAMES = [
  ["empty", ""],
  ["a NUL", "a\0b"],
  ["a line feed", "a\nb"],
  ["CRLF", "a\r\nb"],
  ["a tab", "a\tb"],
  ["an escape", "\x1b[2J"],
  ["a lone continuation byte", bytes("\x80")],
  ["a sequence cut short", bytes("a\xe2\x82")],
  ["an overlong slash", bytes("\xc0\xaf")],
  ["an overlong slash of three bytes", bytes("\xe0\x80\xaf")],
  ["an overlong slash of four bytes", bytes("\xf0\x80\x80\xaf")],
  ["a surrogate", bytes("\xed\xa0\x80")],
  ["a code point beyond the last", bytes("\xf4\x90\x80\x80")],
  ["a byte that begins nothing", bytes("\xfe")],
  ["Latin-1", bytes("caf\xe9")],
];
const NO_NUMBERS = [
  "",
  "nan",
  "inf",
  "-inf",
  "0x10",
  "1e3",
  "-1",
  "+1",
  " 12",
  "12 ",
  "1.0",
  "1,0",
  "12\n",
  "0b1",
  "١",
];
const NO_POSITIONS = [
  "",
  "1",
  "1-",
  "-1",
  "1-1-1",
  "1-x",
  "x-1",
  "-1-1",
  "1 - 1",
  "1-1 ",
  " 1-1",
  "1-1\n",
  "0x1-0",
  "*",
  "$",
  "+",
];
const TOO_LARGE = [String(2 ** 53), "9".repeat(16), "1".padEnd(400, "0")];

/** A call of each operation that would be done (a restore with an idempotency key), to put one wrong thing into. */
const good: Record<Exclude<Operation, "apply">, readonly Argument[]> = {
  create: ["new"],
  transition: ["p1", "sent"],
  patch: ["p1", "SET", "n", "1"],
  heartbeat: ["p1"],
  expire: ["p1"],
  remove: ["p1"],
  restore: ["new", "sent", "7", "1000", "1000000000000"],
  get: ["p1"],
};
const operations = Object.keys(good) as (keyof typeof good)[];
/** The option words of each with a value, by what the value is. */
const takes = (operation: Operation, words: readonly string[]) =>
  words.filter((word) =>
    manifest.operations[operation].options.some((option) => option.startsWith(`${word} `)),
  );

async function badarg(operation: Operation, word: string, args: readonly Argument[], keys?: string[]) {
  const id = String(args[0]);
  expect(await location.error(operation, keys ?? location.keys(id), args)).toBe(`BADARG ${word}`);
}

describe.each(operations)("%s", (operation) => {
  const args = good[operation];
  const [id, ...rest] = args;

  it.each([...NO_NAMES, ["129 long", "a".repeat(129)] as const])(
    "rejects an invalid id: %s",
    async (_, value) => {
      await badarg(operation, "id", [value, ...rest]);
    },
  );

  it("rejects a call without arguments", async () => {
    await badarg(operation, "id", [], location.keys(String(id)));
  });

  const texts = takes(operation, ["OP", "ACTOR", "REASON"]);
  it.each(texts.includes("OP") ? [...NO_NAMES, ["65 long", "a".repeat(65)] as const] : [])(
    "rejects an invalid idempotency key: %s",
    async (_, value) => {
      await badarg(operation, "OP", [...args, "OP", value, "SEEN", "0-0"]);
    },
  );

  const limits = [["ACTOR", 128] as const, ["REASON", 1024] as const];
  it.each(limits.filter(([word]) => texts.includes(word)))(
    "rejects %s that is not a text, or too long",
    async (word, most) => {
      for (const [, value] of NO_TEXTS) await badarg(operation, word, [...args, word, value]);
      await badarg(operation, word, [...args, word, "a".repeat(most + 1)]);
      await badarg(operation, word, [...args, word, "é".repeat(most / 2 + 1)]);
    },
  );

  const numbers = takes(operation, ["NOTAFTER", "IFVERSION"]);
  it.each(numbers)("rejects %s that is not an integer", async (word) => {
    for (const value of [...NO_NUMBERS, ...TOO_LARGE]) await badarg(operation, word, [...args, word, value]);
  });

  const keyed = texts.includes("OP") ? ["an idempotency key"] : [];
  it.each(keyed)("rejects, with %s, SEEN that is not a position", async () => {
    const tooLong = [`${"1".repeat(16)}-0`, `1-${"1".repeat(16)}`, "9".repeat(400)];
    for (const value of [...NO_POSITIONS, ...tooLong]) {
      await badarg(operation, "SEEN", [...args, "OP", "o9", "SEEN", value]);
    }
    await badarg(operation, "SEEN", [...args, "OP", "o9", "SEEN"]);
    await badarg(operation, "SEEN", [...args, "SEEN", "1-1", "SEEN", "1-1", "OP", "o9"]);
  });

  it.each(keyed)("rejects %s without SEEN, and SEEN without one", async () => {
    await badarg(operation, "SEEN", [...args, "OP", "o9"]);
    await badarg(operation, "OP", [...args, "SEEN", "1-1"]);
  });

  it("rejects an option word without its value", async () => {
    for (const word of [...numbers, ...texts]) await badarg(operation, word, [...args, word]);
  });

  it("rejects a repeated option word", async () => {
    for (const word of [...numbers, ...texts]) {
      await badarg(operation, word, [...args, word, "1", word, "1"]);
    }
  });

  it("rejects unknown options", async () => {
    for (const word of [
      "",
      "set",
      "SETT",
      "OP ",
      "SET\0",
      "FORCED",
      "EX",
      "p1",
      "\r\n",
      "__index",
      "fields",
      "SENT",
    ]) {
      await badarg(operation, "option", [...args, word, "a", "1"]);
    }
  });

  it("rejects keys that are swapped, foreign, too few or too many", async () => {
    const keys = location.keys(String(id));
    const rejected = (wrong: string[]) => badarg(operation, "keys", args, wrong);
    for (let at = 0; at < 6; at++) {
      const other = (at + 1) % 6;
      await rejected(keys.map((key, n) => String(n === at ? keys[other] : n === other ? keys[at] : key)));
      await rejected(keys.map((key, n) => (n === at ? key.replace(/^\{t-/, "{u-") : key)));
      await rejected(keys.map((key, n) => (n === at ? key.replace(":0}", ":1}") : key)));
      await rejected(keys.map((key, n) => (n === at ? key.replace(":parcel:", ":box:") : key)));
      await rejected(keys.slice(0, at));
    }
    await rejected([...keys, `${location.prefix}more`]);
    await rejected(location.keys("p2"));
    await rejected(keys.map((key) => key.replace("machine", "")));
    await rejected(keys.map(() => ""));
  });
});

describe.each(["create", "transition", "patch", "restore"] as const)("%s with SET", (operation) => {
  const args = good[operation];

  it.each(NO_FIELDS)("rejects an invalid field: %s", async (_, field) => {
    await badarg(operation, "field", [...args, "SET", field, "1"]);
  });

  it("rejects a field that is repeated, without its value, or of more than 64 KiB", async () => {
    await badarg(operation, "SET", [...args, "SET", "a", "1", "SET", "a", "1"]);
    await badarg(operation, "SET", [...args, "SET", "a"]);
    await badarg(operation, "SET", [...args, "SET"]);
    await badarg(operation, "SET", [...args, "SET", "a", `"${"x".repeat(65_535)}"`]);
    await badarg(operation, "SET", [...args, "SET", "a", `${" ".repeat(65_536)}1`]);
  });

  it("rejects 65 fields, and more than 256 KiB of them", async () => {
    const many = Array.from({ length: 65 }, (_, n) => ["SET", `f${n}`, "1"]).flat();
    await badarg(operation, "SET", [...args, ...many]);
    const large = Array.from({ length: 5 }, (_, n) => ["SET", `f${n}`, `"${"x".repeat(60_000)}"`]).flat();
    await badarg(operation, "SET", [...args, ...large, ...(operation === "restore" ? op("o9") : [])]);
  });
});

describe.each(["transition", "patch"] as const)("%s with UNSET", (operation) => {
  const args = good[operation];

  it.each(NO_FIELDS)("rejects an invalid field: %s", async (_, field) => {
    await badarg(operation, "field", [...args, "UNSET", field]);
  });

  it("rejects a missing field, and one that is set by the same call", async () => {
    await badarg(operation, "UNSET", [...args, "UNSET"]);
    await badarg(operation, "UNSET", [...args, "SET", "m", "1", "UNSET", "m"]);
    await badarg(operation, "UNSET", [...args, "UNSET", "m", "SET", "m", "1"]);
  });
});

it.each(["transition", "patch"] as const)("%s rejects UNSET of 65 fields", async (operation) => {
  const many = Array.from({ length: 65 }, (_, n) => ["UNSET", `f${n}`]).flat();
  await badarg(operation, "UNSET", [...good[operation], ...many]);
  const [outcome] = await location.run(
    operation,
    "p1",
    ...good[operation].slice(1),
    ...many.slice(2),
    "DRYRUN",
  );
  expect(outcome).toBe("OK");
});

it("rejects an invalid version and invalid times of restore, and a state that the machine does not have", async () => {
  const at = ["new", "sent", "7", "1000", "1000000000000"];
  const wrong = (word: string, place: number, ...values: string[]) =>
    Promise.all(
      values.map((value) =>
        badarg("restore", word, [...at.with(place, value), ...op("o9")], location.keys("new")),
      ),
    );
  await wrong("version", 2, ...NO_NUMBERS, ...TOO_LARGE, "0", "01", "9".repeat(14));
  await wrong("created", 3, ...NO_NUMBERS, ...TOO_LARGE, "9".repeat(14));
  await wrong("since", 4, ...NO_NUMBERS, ...TOO_LARGE, "999", "9".repeat(12), "9".repeat(14));
  await wrong("since", 3, "1000000000001"); // created after it entered its state
  await wrong("since", 4, "9999999999999"); // in the future
  await wrong("to", 1, ...NO_STATES.map(([, state]) => String(state)), "elsewhere");
  for (const [word, place] of [
    ["to", 1],
    ["version", 2],
    ["created", 3],
    ["since", 4],
  ] as const) {
    await badarg("restore", word, at.slice(0, place), location.keys("new"));
  }
});

it("rejects conditions, UNSET and FORCE of create and restore, and every option of get", async () => {
  for (const operation of ["create", "restore"] as const) {
    for (const words of [["IFVERSION", "1"], ["IFSTATE", "packed"], ["UNSET", "m"], ["FORCE"]]) {
      await badarg(operation, "option", [...good[operation], ...words, ...op("o9")]);
    }
  }
  for (const word of ["DRYRUN", "OP", "NOTAFTER"]) await badarg("get", "option", ["p1", word]);
  await badarg("expire", "DRYRUN", ["p1", "DRYRUN", "DRYRUN"]);
  await badarg("expire", "option", ["p1", "DRYRUN", "NOW"]);
});

it.each(NO_STATES)("rejects an invalid state: %s", async (_, state) => {
  await badarg("transition", "to", ["p1", state]);
  for (const operation of ["transition", "patch", "heartbeat", "remove"] as const) {
    await badarg(operation, "IFSTATE", [...good[operation], "IFSTATE", state]);
  }
});

it("rejects a missing state, and a repeated one", async () => {
  await badarg("transition", "to", ["p1"]);
  for (const operation of ["transition", "patch", "heartbeat", "remove"] as const) {
    await badarg(operation, "IFSTATE", [...good[operation], "IFSTATE"]);
    await badarg(operation, "IFSTATE", [...good[operation], "IFSTATE", "packed", "IFSTATE", "packed"]);
  }
});

it("rejects a repeated FORCE", async () => {
  await badarg("transition", "FORCE", ["p1", "sent", "FORCE", "FORCE", "REASON", "r"]);
});

it("rejects keys of apply that are swapped, foreign, too few, too many, or of another namespace and partition", async () => {
  const definition = JSON.stringify({ ...parcel, version: 2 });
  const [first = "", second = "", third = ""] = location.applyKeys();
  const all = (change: (key: string) => string) => [change(first), change(second), change(third)];
  for (const keys of [
    [second, first, third],
    [first, third, second],
    [first, second],
    [first],
    [],
    [first, second, third, location.key("due")],
    [first, second.replace("{t-", "{u-"), third],
    [first, second, third.replace(":0}", ":1}")],
    [first, second.replace(":0}", ":1}"), third],
    all((key) => key.replace(":parcel:", ":box:")),
    all((key) => key.replace("{", "")),
    all((key) => key.replace("{t-", "{T-")),
    all((key) => key.replace(":0}", ":x}")),
    all((key) => key.replace(":0}", "}")),
    all((key) => `x${key}`),
  ]) {
    await badarg("apply", "keys", [definition], keys);
  }
});

it("rejects unknown options of apply", async () => {
  const keys = location.applyKeys();
  for (const word of ["", "dryrun", "FORCE", "SET", "MAP "]) {
    await badarg("apply", "option", [JSON.stringify({ ...parcel, version: 2 }), word], keys);
  }
  await badarg("apply", "definition", [], keys);
  await badarg("apply", "DRYRUN", [JSON.stringify({ ...parcel, version: 2 }), "DRYRUN", "DRYRUN"], keys);
});
