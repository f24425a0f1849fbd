import { Logger } from "@nestjs/common";
import { Deadline } from "../valkey/deadline.js";
import { thrownText } from "../valkey/thrown-text.js";
import { getLatchkeyToken } from "./tokens.js";

/** Work that runs on a connection until the application shuts down, such as a sweep or a reaction. */
export interface Work {
  /** Settles when the work has ended. Rejects if it cannot continue. */
  readonly ended: Promise<unknown>;
  /** Stops taking work. Settles when the rest is finished. */
  stop(): Promise<void>;
  /** Aborts the rest. */
  abort(reason: unknown): void;
}

/** State of a piece of work, for health checks. */
export interface WorkStatus {
  readonly connection: string;
  readonly name: string;
  readonly state: "running" | "stopped" | "failed";
  /** The error that ended it, if it failed. */
  readonly error?: unknown;
}

/** Time that aborted work has to settle, in ms. */
const ABORT_GRACE_MS = 1_000;

/** The work that runs on one connection. */
export class RunningWork {
  readonly #connection: string;
  readonly #logger: Logger;
  readonly #statuses: WorkStatus[] = [];
  readonly #works = new Set<Work>();

  constructor(connection: string) {
    this.#connection = connection;
    this.#logger = new Logger(getLatchkeyToken(connection));
  }

  /** State of each piece of work, in the order in which it began. */
  get statuses(): readonly WorkStatus[] {
    return this.#statuses;
  }

  /** Adds work that has begun. If it ends with an error, that is logged as fatal. */
  add(name: string, work: Work): void {
    const at = this.#statuses.length;
    const status: WorkStatus = { connection: this.#connection, name, state: "running" };
    this.#statuses.push(status);
    this.#works.add(work);
    const end = (now: Partial<WorkStatus>): void => {
      this.#works.delete(work);
      this.#statuses[at] = { ...status, ...now };
    };
    work.ended.then(
      () => end({ state: "stopped" }),
      (error: unknown) => {
        end({ state: "failed", error });
        this.#logger.fatal(`${name} ended: ${thrownText(error)}`);
      },
    );
  }

  /** Stops all work. Aborts unfinished work after `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    const works = [...this.#works];
    const settled = Promise.allSettled(works.map((work) => work.stop()));
    if (await isWithin(settled, limitMs)) return;
    this.#logger.warn("handlers still run after shutdownTimeout; they are aborted");
    for (const work of this.#works) work.abort(new Error("the application shuts down"));
    if (!(await isWithin(settled, ABORT_GRACE_MS)))
      this.#logger.warn("a handler ignores its signal; its result no longer counts");
  }
}

async function isWithin(settled: Promise<unknown>, limitMs: number): Promise<boolean> {
  return Deadline.in(limitMs)
    .race(settled)
    .then(
      () => true,
      () => false,
    );
}
