/** Names what a client process does: changes and reads; reads only; follows the event log. */
export type Role = "worker" | "reader" | "follower" | TimedRole;

/** Names what a timed client does: holds entities; sweeps; handles events. */
export type TimedRole = "holder" | "sweeper" | "reactor";

/** Counts what a client process has done. It is reported every few milliseconds. */
export interface Progress {
  /** Calls that began, and calls that ended with any outcome. A follower counts each change as both. */
  readonly begun: number;
  readonly ended: number;
  /** Calls that ended with a reply of the server: applied or rejected. */
  readonly answered: number;
  readonly unknown: number;
  readonly notExecuted: number;
  /** Gaps that a follower received. */
  readonly gaps: number;
}

/** Controls one client process. The client name of its main connection is `name`. */
export interface ClientProcess {
  readonly name: string;
  readonly role: Role;
  readonly pid: number;
  readonly isRunning: boolean;
  /** True from `stop` to `cont`. */
  readonly isStopped: boolean;
  readonly progress: Progress;
  /** Sends SIGKILL, whatever it is doing. */
  kill9(): Promise<void>;
  /** Starts it again. It retries what was pending, with the same idempotency keys. */
  restart(): Promise<void>;
  /** Sends SIGSTOP: the process stays, and does nothing. */
  stop(): void;
  /** Sends SIGCONT. */
  cont(): void;
  /** Requests its current progress. */
  probe(): Promise<Progress>;
}

/** Holds all client processes of a run. */
export interface Fleet {
  readonly processes: readonly ClientProcess[];
  /** Which ids the clients currently use, for `chooseId`. */
  readonly generation: number;
  /** Returns the processes of one role. */
  of(role: Role): readonly ClientProcess[];
  /** Last reported progress of all workers and readers, including killed ones. */
  readonly progress: Progress;
  /** Requests the current progress of all workers and readers. */
  probe(): Promise<Progress>;
}
