import { Client, type Common, NOTHING, sum } from "./client-process.js";
import type { Fleet, Progress, Role } from "./fleet.js";

/** Number of processes of each role, and of concurrent calls of each process. */
export interface FleetSize {
  readonly workers: number;
  readonly readers: number;
  readonly followers: number;
  readonly concurrency: number;
}

/** Starts and controls the client processes of a run. */
export class ClientFleet implements Fleet {
  generation = 0;
  readonly processes: readonly Client[];

  constructor(size: FleetSize, common: Common, onProblem: (text: string) => void) {
    const some = (role: Role, count: number, concurrency: number): Client[] =>
      Array.from(
        { length: count },
        (_, i) => new Client(`${role}-${i + 1}`, role, concurrency, common, onProblem),
      );
    this.processes = [
      ...some("worker", size.workers, size.concurrency),
      ...some("reader", size.readers, Math.max(1, size.concurrency >> 1)),
      ...some("follower", size.followers, 1),
    ];
  }

  of(role: Role): readonly Client[] {
    return this.processes.filter((one) => one.role === role);
  }

  /** Returns the progress of the callers. Followers make no calls. */
  get progress(): Progress {
    return this.#callers.map(({ progress }) => progress).reduce(sum, NOTHING);
  }

  async probe(): Promise<Progress> {
    const all = await Promise.all(this.#callers.map((one) => one.probe()));
    return all.reduce(sum, NOTHING);
  }

  async start(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.start()));
  }

  /** Distributes a rate of calls per second over the callers. A reader gets half of a worker's share. */
  setRate(perSecond: number): void {
    const shares = this.#callers.map(({ role }) => (role === "worker" ? 2 : 1));
    const all = shares.reduce((a, b) => a + b, 0);
    for (const [i, one] of this.#callers.entries()) {
      one.send({ kind: "rate", rate: (perSecond * (shares[i] ?? 0)) / all });
    }
  }

  setGeneration(generation: number): void {
    this.generation = generation;
    for (const one of this.processes) one.send({ kind: "generation", generation });
  }

  /** True if any process ended by itself. The run then cannot continue. */
  get hasFailed(): boolean {
    return this.processes.some((one) => one.hasFailed);
  }

  /** The history files of all processes. */
  get files(): string[] {
    return this.processes.flatMap(({ files }) => files);
  }

  /** Finishes all processes: callers first, then followers when they have read the last entry of the log. */
  async finish(lastEntry: () => Promise<string>): Promise<void> {
    await Promise.all(this.#callers.map((one) => one.finish()));
    const upTo = await lastEntry();
    await Promise.all(this.of("follower").map((one) => one.finish(upTo)));
  }

  async killAll(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.kill9()));
  }

  get #callers(): readonly Client[] {
    return this.processes.filter(({ role }) => role !== "follower");
  }
}
