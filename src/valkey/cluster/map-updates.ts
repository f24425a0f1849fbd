import { backoffMs } from "../backoff.js";
import { clearInterval, pause, setInterval } from "../real-time.js";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** A node can leave the cluster, and still reply to a client that only subscribes. */
const INTERVAL_MS = 20_000;

/** Owns the map of slots. */
export interface MapOwner {
  /** True until it is closed, or rejects all calls. */
  readonly isWanted: boolean;
  /** True if a slot has no primary, or the connection to one is lost. */
  readonly isDamaged: boolean;
  /** Reads the map and applies it. @returns false without a reply */
  readMap(): Promise<boolean>;
}

/** Reads the map of slots again, from time to time and for as long as it is known to be wrong. */
export class MapUpdates {
  readonly #owner: MapOwner;
  readonly #timer = setInterval(() => this.demand(), INTERVAL_MS).unref();
  /** True if a reply has shown that the map is out of date. */
  #isOutdated = false;
  #running: Promise<void> | undefined;
  #reading: Promise<boolean> = Promise.resolve(true);

  constructor(owner: MapOwner) {
    this.#owner = owner;
  }

  /** Reads the map: it may be out of date. */
  demand(): void {
    this.#isOutdated = true;
    this.check();
  }

  /** Reads the map if that is necessary, until it is not. */
  check(): void {
    if (!this.#isNecessary) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  get #isNecessary(): boolean {
    const { isWanted, isDamaged } = this.#owner;
    return isWanted && (this.#isOutdated || isDamaged);
  }

  async #run(): Promise<void> {
    for (let failed = 0; this.#isNecessary; failed += 1) {
      await this.read();
      await pause(backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), undefined, { ref: false });
    }
  }

  /** Reads the map once, after earlier reads, so that none replaces a newer one. @returns false without a reply */
  read(): Promise<boolean> {
    this.#reading = this.#reading.then(async () => {
      this.#isOutdated = false;
      const isRead = await this.#owner.readMap();
      if (!isRead) this.#isOutdated = true;
      return isRead;
    });
    return this.#reading;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
