import { expect, it } from "vitest";
import { encodeFields } from "../../src/changes/field-json.js";
import { ContractError } from "../../src/index.js";

/** Returns the message of the ContractError for fields that are invalid. */
function rejection(fields: object): string {
  try {
    encodeFields("set", fields);
  } catch (error) {
    if (error instanceof ContractError && error.code === "BADARG") return error.message;
    throw error;
  }
  return "accepted";
}

const TOO_LONG = "set.big is longer than 65536 bytes of JSON";

it("accepts a value of 65536 bytes of JSON, and none that is longer", () => {
  expect(rejection({ big: "x".repeat(65_534) })).toBe("accepted");
  expect(rejection({ big: "x".repeat(65_535) })).toBe(TOO_LONG);
  expect(rejection({ big: ["x".repeat(65_532)] })).toBe("accepted");
  expect(rejection({ big: ["x".repeat(65_533)] })).toBe(TOO_LONG);
  expect(rejection({ big: { n: "x".repeat(65_528) } })).toBe("accepted");
  expect(rejection({ big: { n: "x".repeat(65_529) } })).toBe(TOO_LONG);
  expect(rejection({ big: "é".repeat(32_767) })).toBe("accepted");
  expect(rejection({ big: "é".repeat(32_768) })).toBe(TOO_LONG);
});

it("does not encode a text that is too long: its JSON would exceed the longest text of Node", () => {
  expect(rejection({ big: '"'.repeat(2 ** 28) })).toBe(TOO_LONG);
  expect(rejection({ big: { ['"'.repeat(2 ** 28)]: 1 } })).toBe(TOO_LONG);
});

it("does not look at the elements of binary data that is too long", () => {
  expect(rejection({ big: new Uint8Array(2 ** 30) })).toBe(TOO_LONG);
  expect(rejection({ big: { data: Buffer.alloc(2 ** 30) } })).toBe(TOO_LONG);
  expect(rejection(new Uint8Array(2 ** 30))).toBe("set must be an object, not binary data");
});

/** A list or an object with many members, which counts those that are read. */
function counted(target: object): { readonly value: object; readonly reads: () => number } {
  let reads = 0;
  const value = new Proxy(target, {
    get: (of, key) => {
      if (typeof key === "string" && /\d/.test(key)) reads += 1;
      return Reflect.get(of, key);
    },
  });
  return { value, reads: () => reads };
}

it.each([
  ["list", Array.from({ length: 100_000 }, () => 1)],
  ["object", Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`m${n}`, 1]))],
])("stops to encode a %s when its text is too long", (_, target) => {
  const { value, reads } = counted(target);
  expect(rejection({ big: value })).toBe(TOO_LONG);
  expect(reads()).toBeLessThan(33_000);
});

it("stops to encode fields when they are more than an entity can have", () => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`f${n}`, 1]));
  const { value, reads } = counted(many);
  expect(rejection(value)).toBe("set has more than 128 fields; an entity has up to 64 own fields");
  expect(reads()).toBeLessThan(130);
});
