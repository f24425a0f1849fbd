import type { Valkey } from "iovalkey";
import { Deadline } from "./deadline.js";
import { performance } from "./real-time.js";

/** Server time in ms, with the precision of one round trip. */
export interface ServerTime {
  /** Estimated server time now, in ms. */
  readonly nowMs: number;
  /** Largest error of the estimate, in ms. */
  readonly errorMs: number;
}

/** One observation of the server's clock, relative to the monotonic clock of this process. */
class Sighting {
  /** Server time less `performance.now()`, in ms. */
  readonly offsetMs: number;
  readonly #errorMs: number;
  readonly seenAt: number;

  constructor(offsetMs: number, errorMs: number, seenAt: number) {
    this.offsetMs = offsetMs;
    this.#errorMs = errorMs;
    this.seenAt = seenAt;
  }

  /** Returns the largest error of the estimate at a moment, in ms. */
  errorMs(at = this.seenAt): number {
    return this.#errorMs + DRIFT * Math.abs(at - this.seenAt);
  }

  /** Returns the server's time at a moment, a value of `performance.now()`, less the largest error: never later than its clock. */
  earliest(at: number): number {
    return Math.floor(this.offsetMs + at - this.errorMs(at));
  }
}

/** Largest drift between two clocks, as a share of the elapsed time: the fastest slew of NTP (ntp_adjtime). */
const DRIFT = 500e-6;

/** Age of an observation after which it is renewed. */
const FRESH_MS = 30_000;

/** Asks the server for its time. The client's wall clock is not used. */
export async function readServerTime(client: Valkey): Promise<ServerTime> {
  const sighting = await readClock(client);
  return {
    nowMs: Math.round(sighting.offsetMs + sighting.seenAt),
    errorMs: Math.ceil(sighting.errorMs()),
  };
}

/** Longest time to wait for the time of another server, in ms. */
const OTHERS_MS = 1_000;

/**
 * Reads by how many ms the clock of a server is behind others, at most; 0 if none of them is ahead. Leaves out those that do
 * not reply soon.
 */
export async function readLag(client: Valkey, others: readonly Valkey[]): Promise<number> {
  const ownMs = timeMs(await client.time());
  // Asked afterwards, so that the result is too large by the time of the calls, and not too small.
  const deadline = Deadline.in(OTHERS_MS);
  const times = others.map((other) => deadline.race(other.time()).then(timeMs, () => ownMs));
  return Math.max(0, ...(await Promise.all(times)).map((ms) => ms - ownMs));
}

/** Converts a reply to TIME to ms. */
export function timeMs([seconds, micros]: readonly (number | string)[]): number {
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

async function readClock(client: Valkey): Promise<Sighting> {
  const before = performance.now();
  const stampMs = timeMs(await client.time());
  const seenAt = performance.now();
  // The stamp is from between the two moments, and rounded down to whole ms.
  return new Sighting(stampMs - (before + seenAt) / 2, (seenAt - before) / 2 + 1, seenAt);
}

/** Estimates the server's clock, without the wall clock of this process. A jump of it is detected at the next observation. */
export class ServerClock {
  readonly #client: Valkey;
  #sighting: Sighting | undefined;
  #lookedAt = 0;
  #looking: Promise<void> | undefined;

  constructor(client: Valkey) {
    this.#client = client;
  }

  /** Discards the estimate, because another server may answer or the clock was set. */
  forget(): void {
    this.#sighting = undefined;
    this.#looking = undefined;
  }

  /** Returns the current estimate, if there is one. Renews an old one in the background. */
  get recent(): Sighting | undefined {
    const isOld = performance.now() - this.#lookedAt > FRESH_MS;
    if (isOld && this.#sighting !== undefined) this.#look().catch(() => {}); // the next call retries
    return this.#sighting;
  }

  /**
   * Returns the current estimate. Needs a round trip only after `forget`.
   *
   * @throws the client's error, unchanged, if there is no estimate and the server cannot be asked
   */
  async know(): Promise<Sighting> {
    for (;;) {
      const { recent } = this;
      if (recent !== undefined) return recent;
      await this.#look(); // `forget` may run meanwhile
    }
  }

  #look(): Promise<void> {
    if (this.#looking !== undefined) return this.#looking;
    const looking = readClock(this.#client)
      .then((sighting) => {
        // After `forget` the reply may be of the previous server.
        if (this.#looking === looking) this.#learn(sighting);
      })
      .finally(() => {
        if (this.#looking === looking) this.#looking = undefined;
      });
    this.#looking = looking;
    return looking;
  }

  /** Keeps the more precise observation, unless the two contradict each other: then the clock jumped. */
  #learn(seen: Sighting): void {
    this.#lookedAt = seen.seenAt;
    const known = this.#sighting;
    const knownErrorMs = known?.errorMs(seen.seenAt) ?? Number.POSITIVE_INFINITY;
    const isJump =
      known !== undefined && Math.abs(known.offsetMs - seen.offsetMs) > knownErrorMs + seen.errorMs();
    if (isJump || seen.errorMs() <= knownErrorMs) this.#sighting = seen;
  }
}
