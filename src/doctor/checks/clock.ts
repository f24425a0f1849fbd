import { performance } from "../../valkey/real-time.js";
import { readServerTime } from "../../valkey/server-clock.js";
import { info, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { query } from "../query.js";

const NOTABLE_MS = 1_000;
const FAR_MS = 60_000;
const SLOW_MS = 20;
const VERY_SLOW_MS = 200;
const ROUNDS = 5;

/** Checks the skew between the local clock and the server's. */
export async function clock(context: DoctorContext): Promise<Outcome> {
  const { nowMs, errorMs } = await query("time", () => readServerTime(context.connection.client));
  const skewMs = context.now() - nowMs;
  const size = Math.abs(skewMs);
  const status =
    size <= errorMs
      ? `equal within ${errorMs} ms`
      : `the local clock is ${Math.round(size)} ms ${skewMs > 0 ? "ahead" : "behind"}`;
  if (size < NOTABLE_MS + errorMs) return ok(status, "both clocks agree");
  const meaning = "changes have the server's time; times in local logs differ from it";
  return (size < FAR_MS ? info : warn)(status, meaning, "timedatectl set-ntp true, on both hosts");
}

/** Checks the time of a round trip. */
export async function latency(context: DoctorContext): Promise<Outcome> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now();
    await query("time", () => context.connection.client.time());
    times.push(performance.now() - before);
  }
  return judgeLatency(times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0);
}

/** Returns the result for a round trip time in ms. */
export function judgeLatency(ms: number): Outcome {
  const status = `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
  if (ms < SLOW_MS) return ok(status, `the median of ${ROUNDS} round trips`);
  const fix = "run this program closer to the server, or see LATENCY DOCTOR";
  return (ms < VERY_SLOW_MS ? info : warn)(status, "every change takes at least this long", fix);
}
