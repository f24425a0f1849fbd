import type { Call, RanOut } from "./messages.js";

/** What one replica's calls came to. */
export interface ReplicaTally {
  won: number;
  /** Leases whose end its sweep recorded. */
  leases: number;
  /** Refused calls by outcome. */
  readonly refused: Record<string, number>;
}

/** Counts all calls of all replicas, as they report them. */
export class Tally {
  readonly replicas: ReadonlyMap<string, ReplicaTally>;
  /** Every call, with the replica that made it. */
  readonly calls: (Call & { readonly replica: string })[] = [];
  /** Every lease that ran out, with the replica that recorded it. */
  readonly ranOut: (RanOut & { readonly replica: string })[] = [];

  constructor(names: readonly string[]) {
    this.replicas = new Map(names.map((name) => [name, { won: 0, leases: 0, refused: {} }]));
  }

  add(replica: string, call: Call): void {
    this.calls.push({ ...call, replica });
    const own = this.replicas.get(replica);
    if (own === undefined) return;
    if (call.outcome === "OK") own.won += 1;
    else own.refused[call.outcome] = (own.refused[call.outcome] ?? 0) + 1;
  }

  addRanOut(replica: string, ranOut: RanOut): void {
    this.ranOut.push({ ...ranOut, replica });
    const own = this.replicas.get(replica);
    if (own !== undefined) own.leases += 1;
  }

  /** How many changes were won so far, by all replicas together. */
  get won(): number {
    return sum([...this.replicas.values()].map(({ won, leases }) => won + leases));
  }

  /** How long calls took, in ms: half of them were faster than `p50`, all but one in a hundred faster than `p99`. */
  latency(): { readonly p50: number; readonly p99: number } {
    const sorted = this.calls.map(({ ms }) => ms).sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
    return { p50: at(0.5), p99: at(0.99) };
  }
}

/** How many calls of a replica were refused. */
export function refusedIn({ refused }: ReplicaTally): number {
  return sum(Object.values(refused));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
