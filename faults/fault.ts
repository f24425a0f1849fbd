import type { JsonValue } from "latchkey";
import type { Arena } from "./arena.js";
import type { AskedDurability } from "./history.js";

/** What servers a run has: one, or a primary with two replicas and three Sentinels. */
export type Topology = "standalone" | "sentinel";

/** What an injection tells of itself; it goes into the history. Numbers measured, choices made, what was checked on the spot. */
export type Details = Readonly<Record<string, JsonValue>>;

/** What a fault may lose by what the servers promise: the `loss` of the history's first line. */
export interface Loss {
  /** How long before it begins a change may have been made and still be lost, in ms; null for any time. */
  readonly windowMs: number | null;
  /** Changes acknowledged with these are safe even so. */
  readonly spares?: readonly AskedDurability[];
}

/** One kind of fault. */
export interface Fault {
  /** Its number in the list of faults and what it does, such as `F1 reply dropped`. */
  readonly name: string;
  readonly topologies: readonly Topology[];
  /**
   * Whether the servers' settings, as they are during the fault, allow acknowledged changes to be lost by it; true
   * where that has no bounds.
   */
  readonly loses: boolean | Loss;
  /** True where it sets a server's clock back: what was told of its time before says less from then on. */
  readonly setsClockBack?: boolean;
  /**
   * Injects it once: begins, holds it for a seeded while under load, heals. When it returns (or throws), nothing of the
   * fault is left: servers run with the settings they had before. That the clients go on is then awaited by the caller.
   *
   * @throws VoidInjection when it did not overlap calls in flight: counted, and repeated.
   * @throws Violation when a promise was seen broken on the spot; the run fails.
   */
  inject(arena: Arena): Promise<Details>;
}

/** An injection that hit nothing: it proves nothing, and is repeated. */
export class VoidInjection extends Error {
  override readonly name = "VoidInjection";
}

/** A promise that was seen broken during an injection, beyond what the checkers read from the history. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** A fault that this machine can't have (no libfaketime, no right to mount): left out with a loud line, never silently. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
