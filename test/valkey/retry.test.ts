import { expect, it } from "vitest";
import { Deadline, TimeUpError } from "../../src/valkey/deadline.js";
import { retry } from "../../src/valkey/retry.js";
import { connected } from "../helpers/doctor.js";
import { useValkey } from "../helpers/valkey.js";

/** Ends with the third attempt, and counts the turns of the event loop after that. */
class ThirdAttempt extends Deadline {
  attempts = 0;
  turns = 0;

  override get isOver(): boolean {
    return this.attempts === 3;
  }

  override get remainingMs(): number {
    return this.isOver ? 0 : super.remainingMs;
  }

  override race<T>(promise: Promise<T>): Promise<T> {
    this.attempts += 1;
    if (!this.isOver) return super.race(promise);
    setImmediate(() => {
      this.turns += 1;
    });
    return Promise.reject(new TimeUpError());
  }
}

it("a call ends in the turn in which its time is up: the attempt that it gives up is not answered before that", async () => {
  const { url } = await useValkey();
  const connection = await connected({ url });
  const deadline = new ThirdAttempt(performance.now(), 120_000);
  const full = Object.assign(new Error("OOM command not allowed"), { name: "ReplyError" });
  const attempt = (): Promise<void> => (deadline.attempts < 2 ? Promise.reject(full) : new Promise(() => {}));
  const ended = retry(connection, deadline, "call", attempt).catch((error: unknown) => [
    error,
    deadline.turns,
  ]);
  expect(await ended).toEqual([full, 0]);
});
