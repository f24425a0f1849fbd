import { describe, expect, it } from "vitest";
import { manifest, type Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, evalsha, machine, op } from "../helpers/calls.js";
import { paragraph, table, wordsByOperation } from "../helpers/lua-readme.js";
import { builtText, header, sourceText } from "../helpers/lua-source.js";
import { parcel } from "../helpers/parcel.js";

const operations = Object.keys(manifest.operations) as Operation[];

/** Every place that lists option words and outcomes by operation. A client's own lists belong here too. */
const listed: [where: string, options: Record<string, string[]>, outcomes: Record<string, string[]>][] = [
  [
    "the headers",
    Object.fromEntries(operations.map((operation) => [operation, header(operation).options])),
    Object.fromEntries(operations.map((operation) => [operation, header(operation).outcomes])),
  ],
  ["lua/README.md", wordsByOperation("option"), wordsByOperation("outcome")],
];

/** A value that each option word takes. */
const VALUES: Record<string, readonly Argument[]> = {
  SET: ["n", "1"],
  UNSET: ["m"],
  IFVERSION: ["1"],
  IFSTATE: ["packed"],
  OP: ["o9", "SEEN", "0-0"],
  ACTOR: ["ann"],
  REASON: ["why"],
  NOTAFTER: ["999999999999999"],
  SEEN: ["0-0", "OP", "o9"],
  FORCE: ["REASON", "why"],
  MAP: ["held", "sent"],
  FENCE: [],
  DRYRUN: [],
};
const { held: _, ...withoutHeld } = parcel.states;
const ARGUMENTS: Record<Operation, readonly Argument[]> = {
  create: ["new"],
  transition: ["p1", "sent"],
  patch: ["p1", "SET", "x", "1"],
  heartbeat: ["p1"],
  expire: ["p1"],
  remove: ["p1"],
  restore: ["new", "sent", "7", "1000", "1000000000000"],
  get: ["p1"],
  apply: [JSON.stringify({ ...parcel, version: 2, states: withoutHeld })],
};

async function standing(): Promise<Calls> {
  const packed = { ...parcel.states.packed, lease: { for: 60_000, to: "sent" } };
  const location = await machine({ ...parcel, states: { ...parcel.states, packed } });
  await location.ok("create", "p1", "SET", "m", "1");
  await location.valkey.hset(location.key("id:p1"), "times:ms", "1000 1000 0"); // its lease has expired
  await location.valkey.zadd(location.key("due"), 61_000, "p1");
  return location;
}

function keysOf(location: Calls, operation: Operation): string[] {
  if (operation === "apply") return location.applyKeys();
  return location.keys(String(ARGUMENTS[operation][0]));
}

const first = (text: string) => String(text.split(" ")[0]);
const sorted = (words: Iterable<string>) => [...new Set(words)].sort();

it("knows the same operations everywhere", () => {
  for (const [where, options, outcomes] of listed) {
    expect([where, Object.keys(options).sort()]).toEqual([where, [...operations].sort()]);
    expect([where, Object.keys(outcomes).sort()]).toEqual([where, [...operations].sort()]);
  }
  expect(
    sorted(
      table("script", "arguments")
        .slice(1)
        .map(([script]) => String(script)),
    ),
  ).toEqual(sorted(operations));
});

it("documents every key of an entity's partition, in the order in which scripts take them", () => {
  const rows = table("#", "key", "type").slice(1);
  const documented = rows.map(([number, key, type]) => [number, key, type]);
  for (const operation of operations.filter((name) => name !== "apply")) {
    expect(header(operation).keys.map(({ number, pattern, type }) => [number, pattern, type])).toEqual(
      documented,
    );
  }
  const apply = header("apply").keys.map(({ pattern, type }) => [pattern, type]);
  const shared = documented.slice(2, 4).map(([, key, type]) => [key, type]);
  expect(apply).toEqual([...shared, ["{ns:p}:machines", "hash"]]);
});

describe.each(operations)("%s", (operation) => {
  const body = sourceText(operation).slice(sourceText(operation).indexOf("-- 1 inputs"));

  it("binds each key and each argument once, at the top, under the name in its header", () => {
    const bound = (list: "KEYS" | "ARGV") =>
      [
        ...body.matchAll(new RegExp(`local ([\\w, ]+) = (${list}\\[\\d\\](?:, ${list}\\[\\d\\])*)\\n`, "g")),
      ].flatMap(([, names = "", places = ""]) => {
        const numbers = [...places.matchAll(/\d/g)].map(String);
        return names.split(", ").map((name, at) => `${numbers[at]} ${name}`);
      });
    const { keys, args, options } = header(operation);
    expect(bound("KEYS")).toEqual(keys.map(({ number, name }) => `${number} ${name}_key`));
    expect(bound("ARGV")).toEqual(args.map((name, at) => `${at + 1} ${name}`));
    const numbered = [...body.matchAll(/(KEYS|ARGV)\[\d\]/g)].map(String);
    expect(numbered).toEqual([...new Set(numbered)]);
    expect(manifest.operations[operation]).toMatchObject({
      keys: keys.map(({ name }) => name),
      args,
      options,
    });
  });

  it.each(listed)("takes the option words that %s list, and no others", async (_where, options) => {
    const documented = options[operation]?.map(first) ?? [];
    for (const word of Object.keys(VALUES)) {
      const location = await standing();
      // restore requires a key in every call.
      const isKeyed = operation === "restore" && word !== "OP" && word !== "SEEN";
      const args = [...ARGUMENTS[operation], word, ...(VALUES[word] ?? []), ...(isKeyed ? op("o9") : [])];
      const answer = await evalsha(location.valkey, operation, keysOf(location, operation), args).catch(
        String,
      );
      const taken = !String(answer).includes("BADARG option");
      expect([word, taken]).toEqual([word, documented.includes(word)]);
      if (taken) expect([word, String(answer[0])]).toEqual([word, "OK"]);
    }
  });

  it.each(listed)("takes the option words as %s write them", (_where, options) => {
    for (const [other, words] of listed.map(([name, lists]) => [name, lists[operation]] as const)) {
      expect([other, sorted(words ?? [])]).toEqual([other, sorted(options[operation] ?? [])]);
    }
  });

  it.each(listed)("answers with the outcomes that %s list, and no others", (_where, _options, outcomes) => {
    const named = [...builtText(operation).matchAll(/(?:\{ |reply\()'([A-Z]{2,})'/g)].map(([, word]) =>
      String(word),
    );
    expect(sorted(named)).toEqual(sorted(outcomes[operation] ?? []));
  });

  it("gives no errors but the constant ones that its header and lua/README.md list", () => {
    const text = builtText(operation);
    const errors = [...text.matchAll(/error_reply\(([^)]*)\)/g)].map(([, argument]) => String(argument));
    const words = errors.map((error) => {
      // Beside a literal only a word that the script chose itself, out of literals, and two constants.
      expect(error).toMatch(/^'[A-Za-z ]+'$|^'(BADARG|NOPERM) ' \.\. (wrong|lacks)$|^LAYOUT$|^NOMACHINE$/);
      return String(/^'?([A-Z]+)/.exec(error)?.[1]);
    });
    expect(sorted(words)).toEqual(sorted(header(operation).errors));
    const documented = table("error", "means").map(([error]) => first(String(error)));
    for (const word of words) expect(documented).toContain(word);
  });

  it("names nothing wrong by a word that lua/README.md does not list", () => {
    const listedWords =
      paragraph("Words of BADARG")
        .match(/`[A-Za-z]+`/g)
        ?.map((word) => word.slice(1, -1)) ?? [];
    const text = builtText(operation);
    const given = [
      ...text.matchAll(/error_reply\('BADARG (\w+)'\)/g),
      ...text.matchAll(/return nil, '(\w+)'/g),
      ...text.matchAll(/return '(\w+)'/g),
    ].map(([, word]) => String(word));
    const options = header(operation).options.map(first);
    for (const word of [...given, ...options]) expect(listedWords).toContain(word);
  });
});

it("lists no word of BADARG that no script gives", () => {
  const listedWords =
    paragraph("Words of BADARG")
      .match(/`[A-Za-z]+`/g)
      ?.map((word) => word.slice(1, -1)) ?? [];
  const texts = operations.map(builtText).join("\n");
  for (const word of listedWords) expect(texts).toMatch(new RegExp(`'(?:BADARG )?${word}'`));
});
