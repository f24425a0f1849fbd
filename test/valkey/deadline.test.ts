import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { Deadline, TimeUpError } from "../../src/valkey/deadline.js";

const DAY_MS = 86_400_000;

it("a deadline beyond the longest timer of Node is kept", async () => {
  expect(await Deadline.in(30 * DAY_MS).race(pause(30, "the answer"))).toBe("the answer");
});

it("a deadline that comes first ends the wait", async () => {
  await expect(Deadline.in(5).race(new Promise(() => {}))).rejects.toBeInstanceOf(TimeUpError);
});
