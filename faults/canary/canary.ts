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

/** How one intended change of a canary ended, as its caller was told. */
export interface CanaryCall {
  readonly id: string;
  readonly op: string;
  readonly outcome: "OK" | "NOTDURABLE" | "NOTEXECUTED" | "UNKNOWN" | "REJECTED";
  /** The version it made, where it is OK or NOTDURABLE. */
  readonly version?: number;
  /** By how many replicas it was acknowledged, where it is OK and asked for them. */
  readonly replicas?: number;
  /** When it was told so, on the clock of `performance.now()`. */
  readonly at: number;
  /** The server's time after which it must not be done. */
  readonly notAfter?: number;
}

/** Settings of {@link Canary.start}. */
export interface CanaryOptions {
  readonly url: string;
  /** How many callers at once, each with entities of its own. @default 4 */
  readonly callers?: number;
  /** How many ms each attempt may take, as NOTAFTER tells the server. @default none */
  readonly deadlineMs?: number;
  /** Whether a change whose end is open is tried again, with the same op, until it is told. @default true */
  readonly retries?: boolean;
  /** How many replicas each caller's changes wait for, callers taking turns; 0 for none. @default none */
  readonly replicas?: readonly number[];
}

type Step = (
  agents: Entities<AgentState>,
  id: string,
  options: ChangeOptions & { op: string },
) => Promise<{ version: number; opVersion?: number | undefined }>;

/** The life of an entity. Its changes touch the hash, the index, the log and the stream, each time. */
const LIFE: readonly Step[] = [
  (agents, id, options) => agents.create(id, { round: 0 }, options),
  (agents, id, options) => agents.transition(id, "running", options),
  (agents, id, options) => agents.patch(id, { ...options, set: { round: 1 } }),
  (agents, id, options) => agents.patch(id, { ...options, set: { round: 2, text: "x".repeat(100) } }),
  (agents, id, options) => agents.transition(id, "failed", { ...options, set: { error: "exit 1" } }),
];
const REST_MS = 5;
const DURABLE_MS = 300;
/** How long the client tries by itself, each time. */
const TIMEOUT_MS = 1000;

/**
 * Callers of latchkey in this process, withOwnServer the clients of the run, in a namespace of their own: so a fault knows at
 * once what was acknowledged when, and measures what became of it. An entity has one caller only, which must never be
 * rejected, except where the server has lost changes.
 */
export class Canary {
  readonly namespace: string;
  readonly calls: CanaryCall[] = [];
  #acknowledged = 0;
  #isStopped = false;
  #hasFailed = false;
  readonly #latchkey: Latchkey;
  /** What to add to our count of ms for a time of the server that has certainly passed. */
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
      this.#hasFailed = true; // told by awaitChanges() and stop()
    });
  }

  /** Connects, installs the machine, and begins. */
  static async start(options: CanaryOptions): Promise<Canary> {
    const latchkey = await connect({ url: options.url, namespace: `canary-${randomUUID().slice(0, 8)}` });
    try {
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

  /** Waits until so many further changes are acknowledged. @throws what a caller failed with, if one did. */
  async awaitChanges(more: number): Promise<void> {
    const wanted = this.#acknowledged + more;
    while (this.#acknowledged < wanted && !this.#isStopped) {
      if (this.#hasFailed) await this.#work;
      await pause(REST_MS);
    }
  }

  /** Ends the callers, each after the call it is in. */
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
        // Where it stands now is not known, or it was lost: on with the next one.
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
    const { deadlineMs, retries = true, replicas: asked = [] } = this.#options;
    const replicas = asked[caller % asked.length] ?? 0;
    const durability = replicas === 0 ? "memory" : { replicas, timeoutMs: DURABLE_MS };
    const sent = Math.floor(performance.now() + this.#serverOffsetMs);
    for (let attempt = 0; ; attempt += 1) {
      const notAfter =
        deadlineMs === undefined
          ? undefined
          : Math.ceil(performance.now() + this.#serverOffsetMs + deadlineMs);
      const told = (outcome: CanaryCall["outcome"], more: Partial<CanaryCall> = {}): CanaryCall => ({
        ...{ id, op, outcome, at: performance.now(), ...more },
        ...(notAfter !== undefined && { notAfter }),
      });
      try {
        const done = await step(agents, id, {
          ...{ op, timeout: TIMEOUT_MS, durability },
          ...(notAfter !== undefined && { notAfter }),
          ...(attempt > 0 && { sent }),
        });
        return told("OK", { version: done.opVersion ?? done.version, replicas });
      } catch (error) {
        if (error instanceof NotDurableError) {
          return told("NOTDURABLE", { version: error.document.opVersion ?? error.document.version });
        }
        const isOpen =
          attempt > 0 || error instanceof OutcomeUnknownError || error instanceof OutcomeForgottenError;
        if (error instanceof RejectedError) return told(isOpen ? "UNKNOWN" : "REJECTED");
        if (error instanceof ContractError && error.code === "NOMACHINE") {
          // The server has lost even that.
          await this.#latchkey.apply(agent()).catch(() => {});
        } else if (!(error instanceof OutcomeUnknownError || error instanceof NotExecutedError)) throw error;
        if (!retries || this.#isStopped) return told(isOpen ? "UNKNOWN" : "NOTEXECUTED");
        await pause(REST_MS);
      }
    }
  }
}
