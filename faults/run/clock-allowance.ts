import type { Fault } from "../fault.js";
import type { ClientFleet } from "../fleet/client-fleet.js";

/** More than a server's clock is ever set back by. */
const ALLOWANCE_MS = 25_000;
/** Behind this long nobody retries by hand what was first tried while the clock jumped. */
const KEPT_MS = 30_000;

/**
 * A repeat says when the first attempt was, by the server's clock. Where that clock is set back, who read it before would
 * say too late a time: those who repeat by hand then take off what it may have been set back by.
 */
export class ClockAllowance {
  readonly #fleet: ClientFleet;
  #timer: NodeJS.Timeout | undefined;

  constructor(fleet: ClientFleet) {
    this.#fleet = fleet;
  }

  /** Called before a fault. */
  before({ setsClockBack }: Fault): void {
    if (setsClockBack !== true) return;
    clearTimeout(this.#timer);
    this.#fleet.setAllowance(ALLOWANCE_MS);
  }

  /** Called behind it. */
  after({ setsClockBack }: Fault): void {
    if (setsClockBack !== true) return;
    this.#timer = setTimeout(() => this.#fleet.setAllowance(0), KEPT_MS).unref();
  }
}
