import type { Fault } from "../fault.js";
import type { ClientFleet } from "../fleet/client-fleet.js";

/** More than a server's clock is ever set back by. */
const ALLOWANCE_MS = 25_000;
/** After this time no retry refers to a first attempt during the clock jump. */
const KEPT_MS = 30_000;

/**
 * A retry passes the server time of its first attempt. After a clock was set back, a time that was read before is too
 * late. Workers then subtract the largest possible jump from it.
 */
export class ClockAllowance {
  readonly #fleet: ClientFleet;
  #timer: NodeJS.Timeout | undefined;

  constructor(fleet: ClientFleet) {
    this.#fleet = fleet;
  }

  /** Must be called before a fault. */
  before({ setsClockBack }: Fault): void {
    if (setsClockBack !== true) return;
    clearTimeout(this.#timer);
    this.#fleet.setAllowance(ALLOWANCE_MS);
  }

  /** Must be called after a fault. */
  after({ setsClockBack }: Fault): void {
    if (setsClockBack !== true) return;
    this.#timer = setTimeout(() => this.#fleet.setAllowance(0), KEPT_MS).unref();
  }
}
