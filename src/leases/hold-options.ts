import { checkDefined } from "../changes/options.js";
import { checkFunctions, checkOptions } from "../contract/arguments.js";
import type { LeaseLostError } from "../errors/lease-lost-error.js";

/** Options of `hold`. */
export interface HoldOptions {
  /**
   * Version to hold: if anyone else changes the entity, the lease is lost. Make your own changes with `hold.change`.
   * Without it, the lease is lost only if the entity leaves its current state; others may patch it.
   */
  readonly version?: number;
  /** Called once when the lease is lost. Not called when latchkey is closed: only `signal` aborts then. */
  readonly onLost?: (lost: LeaseLostError) => void;
}

const OPTIONS: readonly (keyof HoldOptions)[] = ["version", "onLost"];

/** Checks the options of `hold`. @throws ContractError if one is unknown or invalid */
export function checkHold(options: HoldOptions): void {
  checkOptions(options, OPTIONS);
  checkDefined(options, ["version"]);
  checkFunctions({ onLost: options.onLost });
}
