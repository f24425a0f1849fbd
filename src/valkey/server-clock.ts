import type { Valkey } from "iovalkey";

/** Server time in ms, with the precision of one round trip. */
export interface ServerTime {
  /** Estimated server time now, in ms. */
  readonly nowMs: number;
  /** Largest error of the estimate, in ms. */
  readonly errorMs: number;
}

/** One observation of the server's clock, relative to the monotonic clock of this process. */
interface Sighting {
  /** Server time less `performance.now()`, in ms. */
  readonly offsetMs: number;
  readonly errorMs: number;
  readonly seenAt: number;
}

/** Largest drift between two clocks, as a share of the elapsed time: the fastest slew of NTP (ntp_adjtime). */
const DRIFT = 500e-6;

/** Age of an observation after which it is renewed. */
const FRESH_MS = 30_000;

/** Asks the server for its time. The client's wall clock is not used. */
export async function readServerTime(client: Valkey): Promise<ServerTime> {
  const { offsetMs, errorMs, seenAt } = await readClock(client);
  return { nowMs: Math.round(offsetMs + seenAt), errorMs: Math.ceil(errorMs) };
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
  return { offsetMs: stampMs - (before + seenAt) / 2, errorMs: (seenAt - before) / 2 + 1, seenAt };
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

  /**
   * Returns the current estimate. Needs a round trip only after `forget`; renews it in the background.
   * `earliest` returns the server's time at a moment, a value of `performance.now()`, less the largest error: never later than
   * the server's clock.
   *
   * @throws the client's error, unchanged, if there is no estimate and the server cannot be asked
   */
  async know(): Promise<{ earliest(at: number): number }> {
    while (this.#sighting === undefined) await this.#look(); // `forget` may run meanwhile
    if (performance.now() - this.#lookedAt > FRESH_MS) this.#look().catch(() => {}); // the next call retries
    const sighting = this.#sighting;
    return { earliest: (at) => Math.floor(sighting.offsetMs + at - errorAt(sighting, at)) };
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
    const knownErrorMs = known === undefined ? Number.POSITIVE_INFINITY : errorAt(known, seen.seenAt);
    const isJump =
      known !== undefined && Math.abs(known.offsetMs - seen.offsetMs) > knownErrorMs + seen.errorMs;
    if (isJump || seen.errorMs <= knownErrorMs) this.#sighting = seen;
  }
}

function errorAt({ errorMs, seenAt }: Sighting, at: number): number {
  return errorMs + DRIFT * Math.abs(at - seenAt);
}
