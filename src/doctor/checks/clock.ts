import { readServerTime } from "../../valkey/server-clock.js";
import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { look } from "../not-allowed.js";

const NOTABLE_MS = 1_000;
const FAR_MS = 60_000;
const SLOW_MS = 20;
const VERY_SLOW_MS = 200;
const ROUNDS = 5;

/** How far this machine's clock is from the server's. */
export async function clock(context: DoctorContext): Promise<Finding> {
  const { nowMs, errorMs } = await look("time", () => readServerTime(context.connection.client));
  const offMs = context.now() - nowMs;
  const size = Math.abs(offMs);
  const seen =
    size <= errorMs
      ? `equal within ${errorMs} ms`
      : `this machine is ${Math.round(size)} ms ${offMs > 0 ? "ahead" : "behind"}`;
  if (size < NOTABLE_MS + errorMs)
    return { id: "clock", level: "ok", seen, means: "both tell the same time" };
  const means =
    "changes are stamped by the server's clock and are right; times in this machine's own logs do not match them";
  return {
    id: "clock",
    level: size < FAR_MS ? "note" : "warn",
    seen,
    means,
    mend: "timedatectl set-ntp true, on both machines",
  };
}

/** How long one question takes. */
export async function latency(context: DoctorContext): Promise<Finding> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now();
    await look("time", () => context.connection.client.time());
    times.push(performance.now() - before);
  }
  const median = times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  return judgeLatency(median);
}

/** What a round trip of so many ms means. */
export function judgeLatency(ms: number): Finding {
  const seen = `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
  if (ms < SLOW_MS) return { id: "latency", level: "ok", seen, means: "the median of five round trips" };
  const means = "every change takes at least this long";
  const mend = "run this program closer to the server, or look at LATENCY DOCTOR";
  return { id: "latency", level: ms < VERY_SLOW_MS ? "note" : "warn", seen, means, mend };
}
