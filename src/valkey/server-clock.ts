import type { Valkey } from "iovalkey";

/** The server's time in ms, as exactly as one round trip tells. */
export interface ServerTime {
  /** Estimated server time now, in ms. */
  readonly nowMs: number;
  /** The estimate is off by no more than this, in ms. */
  readonly errorMs: number;
}

/** What is known of the server's clock. */
export interface KnownClock {
  /**
   * The server's time at a moment, less all that the estimate may be off: never later than what the clock shows then.
   *
   * @param at the moment, as `performance.now()` tells it
   */
  earliest(at: number): number;
}

/** Where the server's clock was seen to be, against this process's monotonic one. */
interface Sighting {
  /** Server time less `performance.now()`, in ms. */
  readonly offsetMs: number;
  readonly errorMs: number;
  readonly seenAt: number;
}

/** Two clocks drift apart by up to this much of the time that passes: the fastest that NTP slews one (ntp_adjtime). */
const DRIFT = 500e-6;

/** After this long the clock is looked at again. */
const FRESH_MS = 30_000;

/** Asks the server for its time. The client's wall clock plays no part. */
export async function readServerTime(client: Valkey): Promise<ServerTime> {
  const { offsetMs, errorMs, seenAt } = await look(client);
  return { nowMs: Math.round(offsetMs + seenAt), errorMs: Math.ceil(errorMs) };
}

/** Converts a reply to TIME to ms. */
export function timeMs([seconds, micros]: readonly (number | string)[]): number {
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

async function look(client: Valkey): Promise<Sighting> {
  const before = performance.now();
  const stampMs = timeMs(await client.time());
  const seenAt = performance.now();
  // The stamp was taken somewhere between the two, and is cut to whole ms.
  return { offsetMs: stampMs - (before + seenAt) / 2, errorMs: (seenAt - before) / 2 + 1, seenAt };
}

/**
 * What this process knows of the server's clock. Its own wall clock may be hours off, and the server's may jump: then
 * the next look notices.
 */
export class ServerClock {
  readonly #client: Valkey;
  #sighting: Sighting | undefined;
  #lookedAt = 0;
  #looking: Promise<void> | undefined;

  constructor(client: Valkey) {
    this.#client = client;
  }

  /** Another server may answer from now on, or the clock was moved: what was known is void. */
  forget(): void {
    this.#sighting = undefined;
    this.#looking = undefined;
  }

  /**
   * The server's time as it is known now; costs a round trip only after `forget`, and looks again in the background now
   * and then.
   *
   * @throws the client's error, untouched, where it is not known and can't be asked.
   */
  async know(): Promise<KnownClock> {
    while (this.#sighting === undefined) await this.#look(); // may be forgotten while it is looked at
    if (performance.now() - this.#lookedAt > FRESH_MS) this.#look().catch(() => {}); // the next call asks again
    const sighting = this.#sighting;
    return { earliest: (at) => Math.floor(sighting.offsetMs + at - errorAt(sighting, at)) };
  }

  #look(): Promise<void> {
    if (this.#looking !== undefined) return this.#looking;
    const looking = look(this.#client)
      .then((sighting) => {
        // Forgotten meanwhile: the answer may be the former server's.
        if (this.#looking === looking) this.#learn(sighting);
      })
      .finally(() => {
        if (this.#looking === looking) this.#looking = undefined;
      });
    this.#looking = looking;
    return looking;
  }

  /** A slow answer tells less than an earlier fast one, unless the two contradict each other: then the clock jumped. */
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
