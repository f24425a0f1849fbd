import type { Fault } from "./fault.js";

/** Every fault that a run may inject, by its number in the list of faults. */
export const faults: readonly Fault[] = [];
