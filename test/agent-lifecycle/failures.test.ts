import { describe, expect, it } from "vitest";
import { lifecycle } from "../helpers/lifecycle.js";

const circular: Record<string, unknown> = { code: 7 };
circular.self = circular;
const refuse = (): never => {
  throw new Error("hands off");
};
const hostile = Object.fromEntries(
  ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"].map((trap) => [trap, refuse]),
);
const looped = new Error("outer");
looped.cause = looped;
const unreadable = Object.defineProperty(new Error("x"), "message", { get: refuse });

/** Anything that can be given as an error, and the text that is stored. */
const errors: readonly (readonly [name: string, error: unknown, stored: string | RegExp])[] = [
  ["undefined", undefined, "no error text was given"],
  ["null", null, "no error text was given"],
  ["an empty text", "", ""],
  ["a text of 1 MB", "x".repeat(1_000_000), `${"x".repeat(31_997)}…`],
  ["a text in another language", 'line 1\nline "2" ü𝄞', 'line 1\nline "2" ü𝄞'],
  ["an error", new TypeError("no session"), "TypeError: no session"],
  ["an error without a message", new Error(), "Error"],
  [
    "an error with causes",
    new Error("spawn failed", { cause: new RangeError("too long", { cause: "exit 1" }) }),
    "Error: spawn failed\ncaused by RangeError: too long\ncaused by exit 1",
  ],
  [
    "an error of several errors",
    new AggregateError([new Error("ECONNREFUSED ::1"), new Error("ECONNREFUSED 127.0.0.1")]),
    "AggregateError\ncaused by Error: ECONNREFUSED ::1\ncaused by Error: ECONNREFUSED 127.0.0.1",
  ],
  ["an error that causes itself", looped, "Error: outer"],
  ["an error whose message throws", unreadable, /./],
  ["an object", { code: 14, details: "no route" }, "{ code: 14, details: 'no route' }"],
  ["a circular object", circular, "<ref *1> { code: 7, self: [Circular *1] }"],
  ["an object whose toString throws", { code: 7, toString: refuse }, /code: 7/],
  ["an object whose toJSON throws", { code: 7, toJSON: refuse }, /code: 7/],
  [
    "an object with a getter that throws",
    Object.defineProperty({ code: 7 }, "x", { get: refuse, enumerable: true }),
    /code: 7/,
  ],
  ["a proxy that throws", new Proxy({ code: 7 }, hostile), "{ code: 7 }"],
  [
    "an object that cannot be shown",
    {
      get [Symbol.toStringTag]() {
        return refuse();
      },
    },
    "a value that cannot be shown as text was thrown",
  ],
  ["an object without a prototype", Object.create(null), "[Object: null prototype] {}"],
  ["a symbol", Symbol("lost"), "Symbol(lost)"],
  ["a number", 137, "137"],
  ["a bigint", 137n, "137"],
  ["a function", refuse, "[Function: refuse]"],
];

describe.each([false, true])(
  "an agent (running before: %s) fails, with one cleanup, if the error is",
  (ran) => {
    it.each(errors)("%s", async (_, error, stored) => {
      const { life, on, ended } = await lifecycle();
      await life.registerSpawnedAgent("a1", "t1");
      if (ran) await life.transitionToRunning("a1");
      const failed = await life.transitionToFailed("a1", error);
      expect(failed.status).toBe("failed");
      expect(failed.error).toEqual(typeof stored === "string" ? stored : expect.stringMatching(stored));
      expect(await life.getAgentLifecycleState("a1")).toEqual(failed);
      expect((await on.history("a1")).at(-1)).toMatchObject({ type: "agent.failed" });
      expect(ended).toEqual(["a1"]);
    });
  },
);

it.each([
  ["longer than a field can be", '"'.repeat(70_000), `${'"'.repeat(31_997)}…`],
  ["longer than a field can be, in another language", "ü".repeat(70_000), `${"ü".repeat(15_998)}…`],
  ["in colours", "\u001b[31mError\u001b[39m:\n\tboom\u0000", "Error:\n\tboom "],
  ["cut in the middle of a character", "exit \ud83d", "exit \ufffd"],
  ["of the greatest length", "x".repeat(32_000), "x".repeat(32_000)],
])("ends failed, and is cleaned up, with an error text %s", async (_, error, kept) => {
  const { life, ended } = await lifecycle();
  await life.registerSpawnedAgent("a1", "t1");
  expect((await life.transitionToFailed("a1", error)).error).toBe(kept);
  expect((await life.getAgentLifecycleState("a1"))?.error).toBe(kept);
  expect(ended).toEqual(["a1"]);
});
