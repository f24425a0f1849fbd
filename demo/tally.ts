import type { Call, Expiry } from "./messages.js";

/** Results of one replica's calls. */
export interface ReplicaTally {
  won: number;
  /** Leases whose expiry its sweeper recorded. */
  leases: number;
  /** Rejected calls by outcome. */
  readonly rejected: Record<string, number>;
}

/** Counts all calls of all replicas, as they report them. */
export class Tally {
  readonly replicas: ReadonlyMap<string, ReplicaTally>;
  /** Every call, with the replica that made it. */
  readonly calls: (Call & { readonly replica: string })[] = [];
  /** Every expired lease, with the replica that recorded it. */
  readonly expiries: (Expiry & { readonly replica: string })[] = [];

  constructor(names: readonly string[]) {
    this.replicas = new Map(names.map((name) => [name, { won: 0, leases: 0, rejected: {} }]));
  }

  add(replica: string, call: Call): void {
    this.calls.push({ ...call, replica });
    const own = this.replicas.get(replica);
    if (own === undefined) return;
    if (call.outcome === "OK") own.won += 1;
    else own.rejected[call.outcome] = (own.rejected[call.outcome] ?? 0) + 1;
  }

  addExpiry(replica: string, expiry: Expiry): void {
    this.expiries.push({ ...expiry, replica });
    const own = this.replicas.get(replica);
    if (own !== undefined) own.leases += 1;
  }

  /** Number of changes won so far, by all replicas together. */
  get won(): number {
    return sum([...this.replicas.values()].map(({ won, leases }) => won + leases));
  }
}

/** Returns how many calls of a replica were rejected. */
export function rejectedIn({ rejected }: ReplicaTally): number {
  return sum(Object.values(rejected));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
