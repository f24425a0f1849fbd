import type { Valkey } from "iovalkey";
import { refuse } from "../contract/arguments.js";
import { type Acknowledged, isMet, type Need } from "../contract/durability.js";
import { pairsOf } from "../contract/flat-reply.js";
import { classifyFailure } from "./failure.js";
import { isUnknownCommand, NoConfirmationError, noConfirmation } from "./no-confirmation.js";
import { performance, turn } from "./real-time.js";

/** Longest time that one WAIT may block its connection, in ms. */
const MAX_HOLD_MS = 2_000;
/** Longest time of one WAIT while callers with other needs wait, in ms. */
const TURN_MS = 100;

interface Waiter {
  readonly need: Need;
  /** Value of the monotonic clock, in ms. */
  readonly deadline: number;
  /** Connection on which the write was answered. */
  readonly socket: unknown;
  readonly resolve: (acknowledged: Acknowledged) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Waits until writes are on replicas or on disk. Many callers share one WAIT or WAITAOF.
 *
 * A WAIT covers all earlier writes of its connection, and blocks that connection until it ends. So these writes need a
 * connection of their own. On a connection without writes every replica counts, so a wait must stay on the connection of
 * its write. Replies arrive in the order of commands, so the count of a WAIT is valid for each write that was answered
 * before the WAIT was.
 *
 * @example
 * const socket = commits.socket;
 * await runScript(client, scripts.transition, keys, args);
 * const { replicas } = await commits.wait({ local: 0, replicas: 1 }, 1_000, socket);
 */
export class GroupCommit {
  readonly #client: Valkey;
  /** Callers in the order of their turns. */
  #waiting: readonly Waiter[] = [];
  #isRunning = false;
  /** Connection on which the server has accepted WAITAOF. */
  #diskSocket: unknown;

  constructor(client: Valkey) {
    this.#client = client;
  }

  /** Identifies the current connection: another value after a reconnection, undefined without a connection. */
  get socket(): unknown {
    return this.#client.status === "ready" ? this.#client.stream : undefined;
  }

  /**
   * Waits for the acknowledgements of a write that was answered.
   *
   * @param timeoutMs longest wait, in ms
   * @param socket value of `socket` before the write was sent; the default is valid only if `wait` is called at once after
   *   the reply, without an await in between
   * @returns the acknowledgements: enough, or those that arrived in time
   * @throws NoConfirmationError if the server cannot confirm; the write was applied nevertheless
   * @throws the client's error if the connection was lost: the write may be lost too
   */
  wait(need: Need, timeoutMs: number, socket: unknown = this.socket): Promise<Acknowledged> {
    if (isMet(need, NOTHING)) return Promise.resolve(NOTHING);
    const deadline = performance.now() + timeoutMs;
    return new Promise((resolve, reject) => {
      this.#waiting = [...this.#waiting, { need, deadline, socket, resolve, reject }];
      if (!this.#isRunning) void this.#run();
    });
  }

  /**
   * Checks, before a write is sent, that the server has the command that confirms writes on disk.
   *
   * @throws ContractError with code BADARG if it has no WAITAOF
   */
  async checkDisk(): Promise<void> {
    const { socket } = this;
    if (socket !== undefined && socket === this.#diskSocket) return;
    try {
      await this.#client.call("WAITAOF", 0, 0, 0); // waits for nothing
      this.#diskSocket = socket;
    } catch (error) {
      // After any other error the write is sent, and its own wait reports the problem.
      if (isUnknownCommand(error))
        refuse(
          "durability on disk requires WAITAOF, which this server does not have: use Valkey 7.2 or later, or Redis 7.2 " +
            "or later, or wait for replicas with durability { replicas: 1 }",
        );
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      // Callers that are answered in the same turn of the event loop share the WAIT.
      await turn();
      const { socket } = this;
      this.#settle(
        (waiter) => socket === undefined || waiter.socket !== socket,
        ({ reject }) => reject(connectionLost()),
      );
      const [first] = this.#waiting;
      if (first === undefined) break;
      await this.#ask(first.need, socket);
    }
    this.#isRunning = false;
  }

  /** Sends one WAIT, and settles the callers that it covers if they are satisfied or timed out. The others queue again. */
  async #ask(need: Need, socket: unknown): Promise<void> {
    let covered: ReadonlySet<Waiter> = new Set();
    const cover = (): void => {
      covered = new Set(this.#waiting.filter((waiter) => waiter.need.local === need.local));
    };
    try {
      if (need.local === 1) await this.#checkFsync();
      if (this.socket !== socket) throw connectionLost();
      const reply = await this.#send(need).then((counts: unknown) => {
        // Before any await, so that writes after the WAIT are not covered.
        cover();
        return counts;
      });
      // A client of the caller may have resent the WAIT on a connection without the writes.
      if (this.socket !== socket) throw connectionLost();
      const acknowledged = countsIn(reply);
      const now = performance.now();
      this.#settle(
        (waiter) => covered.has(waiter) && (isMet(waiter.need, acknowledged) || waiter.deadline <= now),
        ({ resolve }) => resolve(acknowledged),
      );
      const hadTurn = (waiter: Waiter): boolean => isEqual(waiter.need, need);
      this.#waiting = [
        ...this.#waiting.filter((waiter) => !hadTurn(waiter)),
        ...this.#waiting.filter(hadTurn),
      ];
    } catch (error) {
      cover();
      // "Not executed" is true for the WAIT, not for the write.
      const isUnsent = classifyFailure(error) === "not-executed";
      const reason = noConfirmation(error) ?? (isUnsent ? connectionLost() : error);
      this.#settle(
        (waiter) => covered.has(waiter),
        ({ reject }) => reject(reason),
      );
    }
  }

  #send({ local, replicas }: Need): Promise<unknown> {
    const holdMs = this.#holdMs();
    if (local === 0) return this.#client.call("WAIT", replicas, holdMs);
    if (replicas === 0) return this.#client.call("WAITAOF", 1, 0, holdMs);
    // Asked right after the write, a replica reports its disk as it was before, and then not for a second. It flushes
    // before it answers the WAIT, so a WAITAOF after that WAIT gets the current state.
    const half = Math.ceil(holdMs / 2);
    this.#client.call("WAIT", replicas, half).catch(() => {}); // the WAITAOF reports the same failure
    return this.#client.call("WAITAOF", 1, replicas, half);
  }

  /** Limits a WAIT so that no caller waits beyond its own timeout, and the client does not disconnect. */
  #holdMs(): number {
    const [first, ...others] = this.#waiting;
    const isShared = first !== undefined && others.some(({ need }) => !isEqual(need, first.need));
    const { socketTimeout = MAX_HOLD_MS * 2, commandTimeout = MAX_HOLD_MS * 2 } = this.#client.options;
    const left = Math.min(...this.#waiting.map(({ deadline }) => deadline)) - performance.now();
    const most = Math.min(isShared ? TURN_MS : MAX_HOLD_MS, socketTimeout / 2, commandTimeout / 2);
    return Math.max(1, Math.ceil(Math.min(left, most)));
  }

  /** Checks the settings: with `everysec` Valkey answers WAITAOF before the fsync (seen in 8.0.1; fixed in Redis by PR 13793). */
  async #checkFsync(): Promise<void> {
    const reply = await this.#client.call("CONFIG", "GET", "append*");
    const settings = new Map(pairsOf(Array.isArray(reply) ? reply.map(String) : []));
    if (settings.get("appendonly") === "no") throw new NoConfirmationError("appendonly");
    if (settings.get("appendfsync") !== "always") throw new NoConfirmationError("appendfsync");
  }

  #settle(isSettled: (waiter: Waiter) => boolean, settle: (waiter: Waiter) => void): void {
    const settled = this.#waiting.filter(isSettled);
    this.#waiting = this.#waiting.filter((waiter) => !isSettled(waiter));
    settled.forEach(settle);
  }
}

const NOTHING: Acknowledged = { local: 0, replicas: 0 };

function isEqual(one: Need, other: Need): boolean {
  return one.local === other.local && one.replicas === other.replicas;
}

/** Reads the reply to WAIT, a number, or WAITAOF, two numbers. */
function countsIn(reply: unknown): Acknowledged {
  if (!Array.isArray(reply)) return { local: 0, replicas: Number(reply) };
  const [local, replicas] = reply;
  return { local: Number(local), replicas: Number(replicas) };
}

/** Returns the client's error for calls during which the connection was lost. */
function connectionLost(): Error {
  return new Error("Connection is closed.");
}
