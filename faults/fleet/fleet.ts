/** What a client process does: changes and reads; reads only; follows the event log. */
export type Role = "worker" | "reader" | "follower" | TimedRole;

/** What one does that lives by time: holds entities; sweeps; handles events. */
export type TimedRole = "holder" | "sweeper" | "reactor";

/** How far a client process is, as it tells every few milliseconds. */
export interface Progress {
  /** Calls begun, and calls ended however they ended. A follower counts changes read as both. */
  readonly begun: number;
  readonly ended: number;
  /** Calls that ended with an answer of the server: done or refused. */
  readonly answered: number;
  readonly unknown: number;
  readonly notExecuted: number;
  /** A follower: how often it was told that the log was trimmed past it. */
  readonly gaps: number;
}

/** One client process. Its CLIENT name on its main connection is `name`. */
export interface ClientProcess {
  readonly name: string;
  readonly role: Role;
  readonly pid: number;
  readonly isRunning: boolean;
  /** True from `stop` to `cont`. */
  readonly isStopped: boolean;
  readonly progress: Progress;
  /** Ends it in the midst of its calls. */
  kill9(): Promise<void>;
  /** Starts it again; it repeats what was pending, with the same ops. */
  restart(): Promise<void>;
  /** SIGSTOP: the process stays, and does nothing. */
  stop(): void;
  /** SIGCONT. */
  cont(): void;
  /** Asks it how far it is at this moment. */
  probe(): Promise<Progress>;
}

/** All client processes of a run. */
export interface Fleet {
  readonly processes: readonly ClientProcess[];
  /** Which ids the clients work on now: `chooseId` takes it. */
  readonly generation: number;
  /** Those of one role. */
  of(role: Role): readonly ClientProcess[];
  /** Of all workers and readers together, killed and restarted ones included; as they told last. */
  readonly progress: Progress;
  /** The same, asked for at this moment. */
  probe(): Promise<Progress>;
}
