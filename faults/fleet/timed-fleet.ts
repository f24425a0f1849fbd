import { Client, type Common } from "./client-process.js";
import type { TimedRole } from "./fleet.js";

const ROLES: readonly TimedRole[] = ["holder", "sweeper", "reactor"];
/** Processes of each role. */
const PROCESSES = 2;
const CONCURRENCY = 6;

/** Starts and controls the timed clients: two processes of each role, which share the work. */
export class TimedFleet {
  readonly processes: readonly Client[];

  constructor(common: Common, onProblem: (text: string) => void) {
    this.processes = ROLES.flatMap((role) =>
      Array.from(
        { length: PROCESSES },
        (_, i) => new Client(`${role}-${i + 1}`, role, CONCURRENCY, common, onProblem),
      ),
    );
  }

  of(role: TimedRole): readonly Client[] {
    return this.processes.filter((one) => one.role === role);
  }

  get hasFailed(): boolean {
    return this.processes.some((one) => one.hasFailed);
  }

  get files(): string[] {
    return this.processes.flatMap(({ files }) => files);
  }

  async start(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.start()));
  }

  /** Finishes the processes of one role. */
  async finish(role: TimedRole): Promise<void> {
    await Promise.all(this.of(role).map((one) => one.finish()));
  }

  async killAll(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.kill9()));
  }
}
