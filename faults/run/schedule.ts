import type { Fault } from "../fault.js";
import { randomFor, shuffled } from "../seeds.js";

/** Which fault is injected when: all of them once, in an order by seed, then all again in another one, and so on. */
export function schedule(faults: readonly Fault[], injections: number, seed: number): Fault[] {
  const rounds = faults.length === 0 ? 0 : Math.ceil(injections / faults.length);
  return Array.from({ length: rounds }, (_, round) => shuffled(randomFor(seed, "schedule", round), faults))
    .flat()
    .slice(0, injections);
}
