import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { admin, Calls, evalsha, machine, op } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { freshNamespace } from "../helpers/valkey.js";

/** The parts of `manifest.json` that describe arguments, for clients in other languages. */
interface Manifest {
  readonly patterns: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, number>>;
  readonly reservedFields: readonly string[];
}

const path = join(import.meta.dirname, "../../dist/lua/manifest.json");
const { patterns, limits, reservedFields } = JSON.parse(readFileSync(path, "utf8")) as Manifest;

function definition(name: string, state = "a", more: object = {}) {
  return { name, version: 1, initial: state, states: { [state]: more } };
}

/** Runs a call. Returns its outcome, or its error. */
async function outcomeOf(call: Promise<unknown>): Promise<string> {
  const reply = await call.catch((error: Error) => error.message);
  return Array.isArray(reply) ? String(reply[0]) : String(reply);
}

/** Installs a machine under other names than its keys usually have. */
function applyAt(namespace: string, partition: string, name: string): Promise<unknown> {
  const hashTag = `{${namespace}:${partition}}:`;
  const keys = [`${hashTag}${name}:machine`, `${hashTag}${name}:index`, `${hashTag}machines`];
  return admin().then((valkey) =>
    evalsha(valkey, "apply", keys, [JSON.stringify(definition(name)), "DRYRUN"]),
  );
}

type Call = (at: Calls, text: string) => Promise<unknown>;

/** A call that takes a text of each pattern. */
const calls: Record<string, Call> = {
  namespace: (_, text) => applyAt(text, "0", "m"),
  partition: (at, text) => applyAt(at.namespace, text, "m"),
  machine: (at, text) => applyAt(at.namespace, "0", text),
  state: async (_, text) => new Calls(await admin(), "m").apply(definition("m", text), "DRYRUN"),
  event: async (_, text) =>
    new Calls(await admin(), "m").apply(definition("m", "a", { event: text }), "DRYRUN"),
  id: (at, text) => at.run("create", text, "DRYRUN"),
  op: (at, text) => at.run("create", "x", ...op(text), "DRYRUN"),
  position: (at, text) => at.run("create", "x", "OP", "o", "SEEN", text, "DRYRUN"),
  field: (at, text) => at.run("create", "x", "SET", text, "1", "DRYRUN"),
  number: (at, text) => at.run("create", "x", "NOTAFTER", text, "DRYRUN"),
};

/** Texts of one character class at and over each length, and texts that are nearly right. */
const candidates = [
  ...["", "a", "B", "0", "7", "00", "01", "_", "-", ".", "a-b", "a.b", "0-0", "1-", "-1", "+1", "1e3", "0x1"],
  ...["a b", "a\n", "é", "{a}", "a}b", "a\0", " a", "1-1-1"],
  ...[5, 6, 15, 16, 32, 33, 64, 65, 96, 97, 128, 129].flatMap((length) =>
    ["a", "9", "_"].map((character) => character.repeat(length)),
  ),
  ...[`${"9".repeat(15)}-0`, `${"9".repeat(16)}-0`, `0-${"9".repeat(15)}`, `0-${"9".repeat(16)}`],
];

describe("a text matches its pattern in the manifest exactly if the scripts accept it:", () => {
  it("has a call for each pattern", () => {
    expect(Object.keys(calls).sort()).toEqual(Object.keys(patterns).sort());
  });

  it.each(Object.entries(calls))("%s", async (name, call) => {
    const at = await machine(definition("m"));
    const before = await keyspace(at.valkey, at.namespace);
    const rule = new RegExp(String(patterns[name]));
    const results = await Promise.all(candidates.map((text) => outcomeOf(call(at, text))));
    for (const [number, text] of candidates.entries()) {
      if (reservedFields.includes(text)) continue;
      const isAccepted = !results[number]?.startsWith("BADARG");
      expect([name, text, results[number], isAccepted]).toEqual([
        name,
        text,
        results[number],
        rule.test(text),
      ]);
    }
    expect(await keyspace(at.valkey, at.namespace)).toEqual(before);
  });
});

it("the reserved fields of the manifest are rejected by name, and no others", async () => {
  const at = await machine(definition("m"));
  for (const field of reservedFields)
    expect([field, await outcomeOf(at.run("create", "x", "SET", field, "1"))]).toEqual([
      field,
      "BADARG field",
    ]);
  expect(await outcomeOf(at.run("create", "x", "SET", "typ", "1"))).toBe("OK");
});

/** A call that reaches a limit exactly, or exceeds it. */
const atLimit: Record<string, (at: Calls, size: number) => Promise<unknown>> = {
  valueBytes: (at, size) => at.run("create", "x", "SET", "f", JSON.stringify("v".repeat(size - 2)), "DRYRUN"),
  valueDepth: (at, size) => at.run("create", "x", "SET", "f", "[".repeat(size) + "]".repeat(size), "DRYRUN"),
  numberCharacters: (at, size) => at.run("create", "x", "SET", "f", `0.${"1".repeat(size - 2)}`, "DRYRUN"),
  fields: (at, size) =>
    at.run("create", "x", ...Array.from({ length: size }, (_, n) => ["SET", `f${n}`, "1"]).flat(), "DRYRUN"),
  unsetFields: async (at, size) => {
    await at.run("create", "x");
    return at.run(
      "patch",
      "x",
      ...Array.from({ length: size }, (_, n) => ["UNSET", `f${n}`]).flat(),
      "DRYRUN",
    );
  },
  actorBytes: (at, size) => at.run("create", "x", "ACTOR", "a".repeat(size), "DRYRUN"),
  reasonBytes: (at, size) => at.run("create", "x", "REASON", "a".repeat(size), "DRYRUN"),
  fieldsBytes: (at, size) => {
    const [names, values] = [["f1", "f2", "f3", "f4", "f5"], size - 10];
    const lengths = names.map((_, n) => Math.floor(values / 5) + (n === 0 ? values % 5 : 0));
    const words = names.flatMap((name, n) => [
      "SET",
      name,
      JSON.stringify("v".repeat(Number(lengths[n]) - 2)),
    ]);
    return at.run("create", "x", ...words, "DRYRUN");
  },
  states: async (_, size) => {
    const states = Object.fromEntries(Array.from({ length: size }, (_, n) => [`s${n}`, {}]));
    return new Calls(await admin(), "m", freshNamespace()).apply(
      { name: "m", version: 1, initial: "s0", states },
      "DRYRUN",
    );
  },
};

describe("the scripts accept exactly what is within the manifest's limits:", () => {
  it.each(Object.entries(atLimit))("%s", async (name, call) => {
    const at = await machine(definition("m"));
    const limit = Number(limits[name]);
    expect([name, await outcomeOf(call(at, limit))]).toEqual([name, "OK"]);
    expect([name, await outcomeOf(call(at, limit + 1))]).toEqual([name, expect.stringMatching(/^BADARG /)]);
  });
});
