const TICK_MS = 20;

/** Limits the rate of calls. They start in bursts, so that they race. */
export class Pace {
  #tokens = 0;
  #waiting: (() => void)[] = [];
  #rate: number;
  readonly #burst: number;
  #last = performance.now();
  readonly #timer: NodeJS.Timeout;
  #hasEnded = false;

  /** @param burst number of calls that may start together */
  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#timer = setInterval(() => this.#refill(), TICK_MS);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  set rate(rate: number) {
    this.#rate = rate;
  }

  /** Waits until a call may start. Returns false if no more calls may start. */
  async take(): Promise<boolean> {
    if (this.#tokens < 1 && !this.#hasEnded) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#tokens -= 1;
    return !this.#hasEnded;
  }

  /** Stops all further calls. */
  end(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    for (const go of this.#waiting.splice(0)) go();
  }

  #refill(): void {
    const now = performance.now();
    const most = Math.max(this.#burst, (this.#rate * TICK_MS) / 250);
    this.#tokens = Math.min(most, this.#tokens + (this.#rate * (now - this.#last)) / 1000);
    this.#last = now;
    // Wait until all of them can start together.
    if (this.#waiting.length > this.#tokens) return;
    for (const go of this.#waiting.splice(0)) {
      this.#tokens -= 1;
      go();
    }
  }
}
