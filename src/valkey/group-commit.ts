import { setImmediate as turn } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { type Acknowledged, isMet, type Need } from "../contract/durability.js";
import { pairsOf } from "../contract/flat-reply.js";
import { classifyFailure } from "./failure.js";
import { NoConfirmationError, noConfirmation } from "./no-confirmation.js";

/** Longest that one WAIT may hold up what else is sent on its connection, in ms. */
const MAX_HOLD_MS = 2_000;
/** The same while callers with other needs wait too, in ms. */
const TURN_MS = 100;

interface Waiter {
  readonly need: Need;
  /** By the monotonic clock, in ms. */
  readonly deadline: number;
  /** The connection that the write was answered on. */
  readonly socket: unknown;
  readonly resolve: (acknowledged: Acknowledged) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Waits until writes are on replicas or on disk, many callers by one WAIT or WAITAOF.
 *
 * The server counts copies of all that was written on the same connection before, and goes on with that connection
 * only when the WAIT ends: writes to wait for need a connection of their own, best one for each kind of need. Two more
 * things follow. On a connection that has written nothing yet every replica counts, so no wait may move to another
 * connection than its write's. And since replies come in the order of commands, the count that a WAIT returns is true
 * of every write that was answered before that WAIT was, also of those answered while it was under way.
 *
 * @example
 * const socket = commits.socket;
 * await runScript(client, scripts.transition, keys, args);
 * const { replicas } = await commits.wait({ local: 0, replicas: 1 }, 1_000, socket);
 */
export class GroupCommit {
  readonly #client: Valkey;
  /** Whose turn it is first. */
  #waiting: readonly Waiter[] = [];
  #isRunning = false;

  constructor(client: Valkey) {
    this.#client = client;
  }

  /** Stands for the connection as it is now: another one after connecting anew, undefined while there is none. */
  get socket(): unknown {
    return this.#client.status === "ready" ? this.#client.stream : undefined;
  }

  /**
   * Waits for copies of a write that was answered.
   *
   * @param timeoutMs when to give up, in ms
   * @param socket what `socket` was before the write was sent; may be left out where `wait` is called at once when the
   *   write is answered, with nothing awaited in between
   * @returns how many copies there are: as many as needed, or as many as there were in time
   * @throws NoConfirmationError where the server can't tell; the write was made all the same
   * @throws the client's error where the connection was lost: whether the write survives is not known
   */
  wait(need: Need, timeoutMs: number, socket: unknown = this.socket): Promise<Acknowledged> {
    if (isMet(need, NOTHING)) return Promise.resolve(NOTHING);
    const deadline = performance.now() + timeoutMs;
    return new Promise((resolve, reject) => {
      this.#waiting = [...this.#waiting, { need, deadline, socket, resolve, reject }];
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      // Whoever is answered in the same turn shares the WAIT, and what is sent in it goes first.
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

  /** Sends one WAIT, and settles those of whom its count is true: met, or out of time. The others queue again. */
  async #ask(need: Need, socket: unknown): Promise<void> {
    let covered: ReadonlySet<Waiter> = new Set();
    const cover = (): void => {
      covered = new Set(this.#waiting.filter((waiter) => waiter.need.local === need.local));
    };
    try {
      if (need.local === 1) await this.#checkFsync();
      if (this.socket !== socket) throw connectionLost();
      const reply = await this.#send(need).then((counts: unknown) => {
        // Not one await later: writes that came behind the WAIT would be among them.
        cover();
        return counts;
      });
      // A client that was handed in may have sent the WAIT again, on a connection without the writes.
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
      // "Never sent" is true of the WAIT, and would be taken for the write's.
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
    // Asked along with the write itself, a replica tells of its disk as it was before, and then not for a second. It
    // flushes before it answers the WAIT, so that the question behind that one gets the news.
    const half = Math.ceil(holdMs / 2);
    this.#client.call("WAIT", replicas, half).catch(() => {}); // what is wrong with it, the other one tells
    return this.#client.call("WAITAOF", 1, replicas, half);
  }

  /** Nobody is held up beyond the own time by what another one waits for, nor the client until it gives up. */
  #holdMs(): number {
    const [first, ...others] = this.#waiting;
    const isShared = first !== undefined && others.some(({ need }) => !isEqual(need, first.need));
    const { socketTimeout = MAX_HOLD_MS * 2, commandTimeout = MAX_HOLD_MS * 2 } = this.#client.options;
    const left = Math.min(...this.#waiting.map(({ deadline }) => deadline)) - performance.now();
    const most = Math.min(isShared ? TURN_MS : MAX_HOLD_MS, socketTimeout / 2, commandTimeout / 2);
    return Math.max(1, Math.ceil(Math.min(left, most)));
  }

  /** With `everysec` Valkey answers WAITAOF before the fsync (seen in 8.0.1; mended in Redis by its PR 13793). */
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

/** WAIT answers with a number, WAITAOF with two. */
function countsIn(reply: unknown): Acknowledged {
  if (!Array.isArray(reply)) return { local: 0, replicas: Number(reply) };
  const [local, replicas] = reply;
  return { local: Number(local), replicas: Number(replicas) };
}

/** What the client says of calls that a lost connection took along. */
function connectionLost(): Error {
  return new Error("Connection is closed.");
}
