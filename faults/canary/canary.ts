import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  type AgentState,
  agent,
  type ChangeOptions,
  ContractError,
  connect,
  type Entities,
  type Latchkey,
  NotDurableError,
  NotExecutedError,
  OutcomeForgottenError,
  OutcomeUnknownError,
  RejectedError,
} from "latchkey";

/** Records how one change of a canary ended for its caller. */
export interface CanaryCall {
  readonly id: string;
  readonly op: string;
  readonly outcome: "OK" | "NOTDURABLE" | "NOTEXECUTED" | "UNKNOWN" | "REJECTED";
  /** The version that it made, if it is OK or NOTDURABLE. */
  readonly version?: number;
  /** Number of replicas that acknowledged it, if it is OK and requested them. */
  readonly replicas?: number;
  /** When it ended, on the clock of `performance.now()`. */
  readonly at: number;
  /** Server time after which it must not be applied. */
  readonly notAfter?: number;
}

/** Options of {@link Canary.start}. */
export interface CanaryOptions {
  readonly url: string;
  /** @default a random one */
  readonly namespace?: string;
  /** Number of concurrent callers, each with its own entities. @default 4 */
  readonly callers?: number;
  /** Time limit of each attempt in ms, sent as NOTAFTER. @default none */
  readonly deadlineMs?: number;
  /** Retries a change with the same idempotency key until its outcome is known. @default true */
  readonly retries?: boolean;
  /** Number of replicas that the changes of each caller wait for, assigned round-robin; 0 for none. @default none */
  readonly replicas?: readonly number[];
}

type Step = (
  agents: Entities<AgentState>,
  id: string,
  options: ChangeOptions & { op: string },
) => Promise<{ version: number; opVersion?: number | undefined }>;

/** The life of an entity. Each change writes the hash, the index, the log and the stream. */
const LIFE: readonly Step[] = [
  (agents, id, options) => agents.create(id, { round: 0 }, options),
  (agents, id, options) => agents.transition(id, "running", options),
  (agents, id, options) => agents.patch(id, { ...options, set: { round: 1 } }),
  (agents, id, options) => agents.patch(id, { ...options, set: { round: 2, text: "x".repeat(100) } }),
  (agents, id, options) => agents.transition(id, "failed", { ...options, set: { error: "exit 1" } }),
];
const PAUSE_MS = 5;
const DURABLE_MS = 300;
/** A position before the first attempt. Each id is new, so nothing is forgotten since. */
const BEFORE_ALL = "0-0";
/** Timeout of one call of the client. */
const TIMEOUT_MS = 1000;

/** Returns a name for the namespace of a canary. */
export function canaryName(): string {
  return `canary-${randomUUID().slice(0, 8)}`;
}

/**
 * Runs callers of latchkey in this process, in their own namespace. A fault knows at once what was acknowledged and when,
 * and measures what happened to it. Each entity has one caller, which must never be rejected unless the server has lost
 * changes.
 */
export class Canary {
  readonly namespace: string;
  readonly calls: CanaryCall[] = [];
  #acknowledged = 0;
  #isStopped = false;
  #hasFailed = false;
  readonly #latchkey: Latchkey;
  /** Added to `performance.now()`, it gives a server time that is certainly in the past. */
  readonly #serverOffsetMs: number;
  readonly #options: CanaryOptions;
  readonly #work: Promise<unknown>;

  private constructor(
    latchkey: Latchkey,
    agents: Entities<AgentState>,
    serverOffsetMs: number,
    options: CanaryOptions,
  ) {
    this.namespace = latchkey.namespace;
    this.#latchkey = latchkey;
    this.#serverOffsetMs = serverOffsetMs;
    this.#options = options;
    const callers = Array.from({ length: options.callers ?? 4 }, (_, caller) => this.#live(agents, caller));
    this.#work = Promise.all(callers);
    this.#work.catch(() => {
      this.#hasFailed = true; // awaitChanges() and stop() throw the error
    });
  }

  /** Connects, installs the machine, and starts the callers. */
  static async start(options: CanaryOptions): Promise<Canary> {
    const { url, namespace = canaryName() } = options;
    const latchkey = await connect({ url, namespace });
    try {
      // The audit reads one partition.
      await latchkey.init(1);
      const agents = await latchkey.machine(agent());
      const { nowMs, errorMs } = await latchkey.serverTime();
      return new Canary(latchkey, agents, nowMs - errorMs - performance.now(), options);
    } catch (error) {
      await latchkey.close();
      throw error;
    }
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Waits for a number of further acknowledged changes. @throws the error of a caller that failed */
  async awaitChanges(more: number): Promise<void> {
    const wanted = this.#acknowledged + more;
    while (this.#acknowledged < wanted && !this.#isStopped) {
      if (this.#hasFailed) await this.#work;
      await pause(PAUSE_MS);
    }
  }

  /** Stops the callers after their current calls. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    try {
      await this.#work;
    } finally {
      await this.#latchkey.close();
    }
  }

  async #live(agents: Entities<AgentState>, caller: number): Promise<void> {
    for (let life = 0; !this.#isStopped; life += 1) {
      const id = `c${caller}-${life}`;
      for (const [at, step] of LIFE.entries()) {
        if (this.#isStopped) return;
        const call = await this.#change(agents, step, id, `${id}-${at}`, caller);
        this.calls.push(call);
        // The state of the entity is unknown, or it was lost. Continue with the next entity.
        if (call.outcome !== "OK" && call.outcome !== "NOTDURABLE") break;
        this.#acknowledged += 1;
      }
    }
  }

  async #change(
    agents: Entities<AgentState>,
    step: Step,
    id: string,
    op: string,
    caller: number,
  ): Promise<CanaryCall> {
    const { deadlineMs, retries = true, replicas: choices = [] } = this.#options;
    const replicas = choices[caller % choices.length] ?? 0;
    const durability = replicas === 0 ? "memory" : { replicas, timeoutMs: DURABLE_MS };
    for (let attempt = 0; ; attempt += 1) {
      const notAfter =
        deadlineMs === undefined
          ? undefined
          : Math.ceil(performance.now() + this.#serverOffsetMs + deadlineMs);
      const call = (outcome: CanaryCall["outcome"], more: Partial<CanaryCall> = {}): CanaryCall => ({
        ...{ id, op, outcome, at: performance.now(), ...more },
        ...(notAfter !== undefined && { notAfter }),
      });
      try {
        const done = await step(agents, id, {
          ...{ op, timeout: TIMEOUT_MS, durability },
          ...(notAfter !== undefined && { notAfter }),
          ...(attempt > 0 && { seen: BEFORE_ALL }),
        });
        return call("OK", { version: done.opVersion ?? done.version, replicas });
      } catch (error) {
        if (error instanceof NotDurableError) {
          return call("NOTDURABLE", { version: error.document.opVersion ?? error.document.version });
        }
        const isUncertain =
          attempt > 0 || error instanceof OutcomeUnknownError || error instanceof OutcomeForgottenError;
        if (error instanceof RejectedError) return call(isUncertain ? "UNKNOWN" : "REJECTED");
        const hasLostMachine = error instanceof ContractError && error.code === "NOMACHINE";
        if (!(hasLostMachine || error instanceof OutcomeUnknownError || error instanceof NotExecutedError))
          throw error;
        // The server may have lost the machine too. A retry does not always learn that.
        if (hasLostMachine || attempt > 0) await this.#latchkey.apply(agent()).catch(() => {});
        if (!retries || this.#isStopped) return call(isUncertain ? "UNKNOWN" : "NOTEXECUTED");
        await pause(PAUSE_MS);
      }
    }
  }
}
