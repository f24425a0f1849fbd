import { type Change, documentText, type Replay } from "../contract/document.js";
import type { DurabilityNeed } from "../contract/durability.js";
import { type Reply, readReply } from "../contract/reply.js";
import { ContractError } from "../errors/latchkey-error.js";
import { type Operation, scripts } from "../lua/index.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline, TimeUpError } from "../valkey/deadline.js";
import { classifyFailure, LateError, OfflineError } from "../valkey/failure.js";
import type { GroupCommit } from "../valkey/group-commit.js";
import { entityKeys, type MachineLocation, partitionKeys } from "../valkey/keys.js";
import { NoConfirmationError } from "../valkey/no-confirmation.js";
import { partitionOf } from "../valkey/partition.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";
import { isLater } from "../valkey/stream.js";
import { FailedAttempts, type OpenOp, opInLog, resolveOp, waitUntilOver } from "./op-lookup.js";
import { type Copies, NO_COPIES } from "./result.js";

/** A change to make, in all its attempts. */
export interface Intent {
  readonly operation: Exclude<Operation, "apply" | "expire" | "get" | "heartbeat">;
  readonly id: string;
  readonly op: string;
  /** Arguments of the script, without NOTAFTER and SEEN. */
  readonly words: readonly string[];
  readonly timeoutMs: number;
  /** The caller's own limit, in ms of server time. */
  readonly notAfter?: number | undefined;
  /** Position of the event log before the first attempt of another process. */
  readonly seen?: string | undefined;
  /** Position that SEEN must not be before. */
  readonly after?: string | undefined;
  readonly durability: DurabilityNeed;
  /** True if nothing is written: no attempt has an effect. */
  readonly isDryRun: boolean;
}

/** Result of all attempts: the reply of a script, or the document that a lost attempt is known to have made. */
export type Answer = ({ readonly reply: Reply } | { readonly document: Change | Replay }) & {
  readonly copies?: Copies;
};

/** Acknowledgements of a change that cannot be counted: only the reply to a write counts them, and its reply was lost. */
const UNCOUNTED: Copies = {
  ...NO_COPIES,
  problem: "its reply was lost, and acknowledgements can no longer be counted",
};

/** Share of the call's time that is reserved for resolving an attempt whose reply was lost. */
const RESOLVE_SHARE = 0.1;
/** Share of the call's time in which the first attempt may be executed. It doubles with each attempt. */
const WINDOW_SHARE = 0.25;
const LONGEST_FIRST_WINDOW_MS = 1_000;

/**
 * Makes one change with as many attempts as it takes. All carry the same idempotency key, the same position of the event
 * log before the first of them (SEEN), and a NOTAFTER in server time. Therefore the server applies the change at most
 * once, and never after the caller got an error.
 */
export class Attempts {
  readonly #connection: Connection;
  readonly #location: MachineLocation;
  readonly #intent: Intent;
  readonly #deadline: Deadline;
  readonly #work: Deadline;
  /** Key of the event log. */
  readonly #events: string;
  #seen: string | undefined;
  #windowMs: number;
  /** Server time until which an earlier attempt may be executed, 0 if that has passed; undefined if there was none. */
  #openUntilMs: number | undefined;
  /** Answer of an attempt that was applied. */
  #applied: Answer | undefined;

  constructor(connection: Connection, location: MachineLocation, intent: Intent) {
    this.#connection = connection;
    this.#location = location;
    this.#intent = intent;
    const { id, timeoutMs, seen, notAfter, isDryRun } = intent;
    this.#deadline = Deadline.in(timeoutMs);
    this.#work = new Deadline(this.#deadline.endsAt - RESOLVE_SHARE * timeoutMs);
    this.#events = partitionKeys(location, partitionOf(id, location.partitions)).events;
    this.#windowMs = Math.min(LONGEST_FIRST_WINDOW_MS, WINDOW_SHARE * timeoutMs);
    this.#seen = seen;
    if (seen !== undefined && !isDryRun) this.#openUntilMs = notAfter ?? 0;
  }

  /** Sends attempts until one is answered. @throws FailedAttempts if none was answered in time */
  async answer(): Promise<Answer> {
    const name = `${this.#intent.operation} ${this.#location.machine} ${this.#intent.id}`;
    try {
      return await retry(this.#connection, this.#work, name, () => this.#attempt());
    } catch (error) {
      if (error instanceof ContractError) throw error;
      const open = this.#open; // read now: an abandoned attempt may still be running
      if (this.#applied !== undefined) return this.#applied;
      if (open === undefined) throw new FailedAttempts(error, undefined);
      const resolution = await resolveOp(this.#connection, open, this.#deadline).catch(() => undefined);
      if (resolution?.outcome === "DONE") return { document: resolution.document, copies: UNCOUNTED };
      if (resolution?.outcome === "FORGOTTEN") {
        const { outcome, current } = resolution;
        return { reply: { outcome, text: current && documentText(current), position: null } };
      }
      throw new FailedAttempts(error, resolution === undefined ? open : undefined);
    }
  }

  /** The attempts whose outcome is unknown. */
  get #open(): OpenOp | undefined {
    const untilMs = this.#openUntilMs;
    if (untilMs === undefined) return undefined;
    const { id, op } = this.#intent;
    return { location: this.#location, id, op, seen: this.#seen ?? "0-0", untilMs };
  }

  /** Sends the change until an answer is final for all attempts. */
  async #attempt(): Promise<Answer> {
    for (;;) {
      const isOver = this.#openUntilMs === 0;
      const answer = await this.#send();
      const { outcome, position } = answer.reply;
      if (outcome === "FORGOTTEN") {
        // The first attempt too: a proxy may have delivered a copy of it before.
        const found = await opInLog(this.#connection.client, this.#open ?? answer.attempt, null);
        if (found.outcome === "DONE") {
          this.#applied = { document: found.document, copies: UNCOUNTED };
          return this.#applied;
        }
        if (found.outcome === "FORGOTTEN") return answer;
        const isFirst = this.#openUntilMs === undefined;
        // If the log lost what this client had seen, a copy of the first attempt could be executed later.
        const end = position ?? "0-0";
        if (isFirst && isLater(answer.attempt.seen, end)) this.#openUntilMs = answer.attempt.untilMs;
        else if (isFirst || isOver) {
          // No attempt was applied, and none will be: begin anew.
          this.#seen = this.#notBefore(end);
          this.#openUntilMs = undefined;
          continue;
        }
        // A rejection answers for all attempts that were executed, EXPIRED for all.
      } else if (outcome === "OK" || outcome === "REPLAYED" || outcome === "EXPIRED") return answer;
      else if (isOver || this.#openUntilMs === undefined) return answer;
      await waitUntilOver(this.#connection.client, this.#openUntilMs ?? 0, this.#work);
      this.#openUntilMs = 0;
    }
  }

  /** Returns the later one of a position and the intent's `after`. */
  #notBefore(position: string): string {
    const { after } = this.#intent;
    return after !== undefined && isLater(after, position) ? after : position;
  }

  async #send(): Promise<{ readonly reply: Reply; readonly attempt: OpenOp; readonly copies?: Copies }> {
    const { operation, id, op, words, notAfter: limit = Number.POSITIVE_INFINITY } = this.#intent;
    const { clock: serverClock, positions } = this.#connection;
    const line = this.#needsCopies ? await this.#connection.durable(this.#work) : undefined;
    const client = line?.client ?? this.#connection.client;
    const [seen, clock] = await Promise.all([
      this.#seen ?? positions.know(this.#events).then((position) => this.#notBefore(position)),
      serverClock.know(),
    ]);
    this.#seen ??= seen;
    const socket = line?.commits.socket;
    const now = performance.now();
    if (now >= this.#work.endsAt) throw new TimeUpError(); // the caller has its error by now
    const notAfter = Math.max(
      0,
      Math.min(limit, clock.earliest(Math.min(now + this.#windowMs, this.#work.endsAt))),
    );
    this.#windowMs *= 2;
    const args = [...words, "OP", op, "SEEN", this.#seen, "NOTAFTER", String(notAfter)];
    const attempt = { location: this.#location, id, op, seen: this.#seen, untilMs: notAfter };
    const openBefore = this.#openUntilMs;
    if (!this.#intent.isDryRun) this.#openUntilMs = Math.max(openBefore ?? 0, notAfter);
    let raw: unknown;
    try {
      raw = await runScript(client, scripts[operation], entityKeys(this.#location, id), args);
    } catch (error) {
      if (classifyFailure(error) !== "unknown") this.#openUntilMs = openBefore;
      throw error;
    }
    this.#openUntilMs = openBefore;
    const reply = readReply(raw);
    const { outcome, position } = reply;
    if (outcome === "FORGOTTEN" && position !== null) positions.reset(this.#events, position);
    else if (position !== null) positions.learn(this.#events, position);
    if (outcome === "EXPIRED" && notAfter < limit) {
      // The server was slow, or its clock was set.
      if (clock.earliest(performance.now()) <= notAfter) serverClock.forget();
      throw new LateError();
    }
    if (outcome !== "OK" && outcome !== "REPLAYED") return { reply, attempt };
    // Kept, because the call's time may end before this attempt does.
    this.#applied = { reply, copies: NO_COPIES };
    const copies = line && (await this.#copies(line.commits, socket));
    return { reply, attempt, ...(copies && { copies }) };
  }

  get #needsCopies(): boolean {
    const { local, replicas } = this.#intent.durability.need;
    return local + replicas > 0;
  }

  /** Waits for acknowledgements of an applied change. If the connection or the primary is lost, a retry counts them. */
  async #copies(commits: GroupCommit, socket: unknown): Promise<Copies> {
    const { need, timeoutMs } = this.#intent.durability;
    try {
      return await commits.wait(need, Math.min(timeoutMs, this.#work.remainingMs), socket);
    } catch (error) {
      const isDemoted = error instanceof NoConfirmationError && error.reason === "replica";
      if (error instanceof NoConfirmationError && !isDemoted) return { ...NO_COPIES, problem: error.message };
      this.#openUntilMs ??= 0; // it was executed: the next attempt is a retry and need not wait
      throw isDemoted ? new OfflineError() : error;
    }
  }
}
