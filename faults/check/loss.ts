import type { AllowedLoss, DurabilityLevel, RunRecord } from "../history/records.js";

/** One injection. It lasts from `begin` to `end`, monotonic ms. */
export interface Injection {
  readonly number: number;
  readonly name: string;
  readonly begin: number;
  end: number;
}

/** An injection that may lose acknowledged changes. */
export interface LossyInjection extends Injection {
  /** Earlier changes cannot be lost to it. */
  readonly reachesBackTo: number;
}

/** Returns the injections that set a server's clock. */
export function clocksOf({ clocks = [] }: RunRecord, injections: readonly Injection[]): Injection[] {
  return injections.filter(({ name }) => clocks.includes(name));
}

/** Returns true if one of the injections lasted at some time between two. */
export function isAmid(injections: readonly Injection[], from: number, to: number): boolean {
  return injections.some(({ begin, end }) => begin <= to && from <= end);
}

/** Decides which faults of a run may have lost a change. */
export class Loss {
  /** Sorted by their begin. */
  readonly injections: readonly LossyInjection[];
  readonly #spares = new Map<LossyInjection, readonly DurabilityLevel[]>();

  constructor(allowed: readonly AllowedLoss[], injections: readonly Injection[]) {
    const byName = new Map(allowed.map((loss) => [loss.fault, loss]));
    const lossy: LossyInjection[] = [];
    for (const injection of injections) {
      const loss = byName.get(injection.name);
      if (loss === undefined) continue;
      const { windowMs, spares = [] } = loss;
      const reachesBackTo = windowMs === null ? Number.NEGATIVE_INFINITY : injection.begin - windowMs;
      const one: LossyInjection = Object.assign(injection, { reachesBackTo });
      lossy.push(one);
      this.#spares.set(one, spares);
    }
    this.injections = lossy.sort((a, b) => a.begin - b.begin);
  }

  /** Returns the first injection that may have lost a change between these times, or undefined. */
  of(from: number, to: number, durability: DurabilityLevel = "memory"): LossyInjection | undefined {
    return this.injections.find(
      (injection) =>
        injection.reachesBackTo <= to &&
        from <= injection.end &&
        !this.#spares.get(injection)?.includes(durability),
    );
  }
}
