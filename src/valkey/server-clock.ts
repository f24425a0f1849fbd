import type { Valkey } from "iovalkey";

/** The server's time in ms, as exactly as one round trip tells. */
export interface ServerTime {
  /** Estimated server time now, in ms. */
  readonly nowMs: number;
  /** The estimate is off by no more than this, in ms. */
  readonly errorMs: number;
}

/** Asks the server for its time. The client's wall clock plays no part. */
export async function readServerTime(client: Valkey): Promise<ServerTime> {
  const before = performance.now();
  const [seconds, micros] = await client.time();
  const roundTripMs = performance.now() - before;
  const stampMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  return { nowMs: Math.round(stampMs + roundTripMs / 2), errorMs: Math.ceil(roundTripMs / 2) + 1 };
}
