import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { type Change, documentText, type Replay } from "../contract/document.js";
import type { DurabilityNeed } from "../contract/durability.js";
import { ContractError } from "../errors/latchkey-error.js";
import { type Operation, scripts } from "../lua/index.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline, LONGEST_TIMER_MS, TimeUpError } from "../valkey/deadline.js";
import { classifyFailure, LateError, OfflineError } from "../valkey/failure.js";
import type { GroupCommit } from "../valkey/group-commit.js";
import { entityKeys, type MachineLocation } from "../valkey/keys.js";
import { NoConfirmationError } from "../valkey/no-confirmation.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";
import { FailedAttempts, type OpenOp, opInLog, opInRing, resolveOp, StillOpenError } from "./op-lookup.js";
import { type Copies, NO_COPIES, readReply } from "./result.js";

/** A change to make, in all its attempts. */
export interface Intent {
  readonly operation: Exclude<Operation, "apply">;
  readonly id: string;
  readonly op: string;
  /** Arguments of the script, without NOTAFTER and SENT. */
  readonly words: readonly string[];
  readonly timeoutMs: number;
  /** The caller's own limit, in ms of server time. */
  readonly notAfter?: number | undefined;
  /** Time in ms of the server before the first attempt of another process. */
  readonly sent?: number | undefined;
  readonly durability: DurabilityNeed;
}

/** Result of all attempts: the reply of a script, or the document that a lost attempt is known to have made. */
export type Answer = ({ readonly reply: unknown } | { readonly document: Change | Replay }) & {
  readonly copies?: Copies;
};

/** Acknowledgements of a change that cannot be counted: only the reply to a write counts them, and its reply was lost. */
const UNCOUNTED: Copies = {
  ...NO_COPIES,
  problem: "its reply was lost, and acknowledgements can no longer be counted",
};

/**
 * Rejections that prove nothing about an earlier attempt: EXPIRED is checked before the idempotency key, NOTFOUND means
 * that no entity remembers the key, and so does FORGOTTEN. All others prove that no earlier attempt was applied.
 */
const INCONCLUSIVE: ReadonlySet<string> = new Set(["EXPIRED", "NOTFOUND", "FORGOTTEN"]);
/** A version that no entity has: a patch that expects it returns REPLAYED with a small write, or changes nothing. */
const NO_VERSION = "999999999999999";

/** Share of the call's time that is reserved for resolving an attempt whose reply was lost. */
const RESOLVE_SHARE = 0.1;
/** Share of the call's time in which the first attempt may be executed. It doubles with each attempt. */
const WINDOW_SHARE = 0.25;
const LONGEST_FIRST_WINDOW_MS = 1_000;
/** A `sent` that is further ahead of the server's clock is invalid: its unit or its source is wrong. */
const FARTHEST_SET_BACK_MS = 24 * 3_600_000;

/**
 * Makes one change with as many attempts as it takes. All carry the same idempotency key and a NOTAFTER in server time.
 * If a reply was lost, the next attempt waits until the server would reject the lost one, so that the change is applied
 * at most once, and never after the caller got an error.
 */
export class Attempts {
  readonly #connection: Connection;
  readonly #location: MachineLocation;
  readonly #intent: Intent;
  readonly #deadline: Deadline;
  readonly #work: Deadline;
  #beganAt: number;
  #sentMs: number;
  #windowMs: number;
  /** Server time until which an attempt may be executed whose reply was lost. */
  #openUntilMs: number | undefined;
  /** Answer of an attempt that was applied. */
  #applied: Answer | undefined;

  constructor(connection: Connection, location: MachineLocation, intent: Intent) {
    this.#connection = connection;
    this.#location = location;
    this.#intent = intent;
    const { timeoutMs, sent } = intent;
    this.#deadline = Deadline.in(timeoutMs);
    this.#beganAt = this.#deadline.endsAt - timeoutMs;
    this.#work = new Deadline(this.#deadline.endsAt - RESOLVE_SHARE * timeoutMs);
    this.#windowMs = Math.min(LONGEST_FIRST_WINDOW_MS, WINDOW_SHARE * timeoutMs);
    this.#sentMs = sent ?? Number.POSITIVE_INFINITY;
    if (sent !== undefined) this.#openUntilMs = sent + (1 - RESOLVE_SHARE) * timeoutMs;
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
      if (resolution?.outcome === "FORGOTTEN")
        return { reply: ["FORGOTTEN", resolution.current && documentText(resolution.current)] };
      throw new FailedAttempts(error, resolution === undefined ? open : undefined);
    }
  }

  /** The attempt whose outcome is unknown. */
  get #open(): OpenOp | undefined {
    const untilMs = this.#openUntilMs;
    if (untilMs === undefined) return undefined;
    const { id, op } = this.#intent;
    return { location: this.#location, id, op, sentMs: this.#sentMs, beganAt: this.#beganAt, untilMs };
  }

  async #attempt(): Promise<Answer> {
    // The clock may have been read again since and give an earlier time. The earliest is always safe.
    const clock = await this.#connection.clock.know();
    this.#sentMs = Math.min(this.#sentMs, clock.earliest(this.#beganAt));
    if (this.#open !== undefined) {
      const ring = await opInRing(this.#connection.client, this.#open);
      // If acknowledgements are required, the retry counts them.
      if (ring.outcome === "DONE" && !this.#needsCopies) return { document: ring.document };
      if (ring.outcome !== "DONE") {
        this.#rejectFuture(ring.serverMs);
        if (this.#intent.operation === "remove" && ring.current === null) {
          const log = await opInLog(this.#connection.client, this.#open);
          if (log.outcome === "DONE") return { document: log.document, copies: UNCOUNTED };
        }
      }
      await this.#waitUntilExpired();
    }
    return this.#send();
  }

  /** Rejects a `sent` in the future, unless the server's clock may have been set back since. */
  #rejectFuture(serverMs: number): void {
    const { sent = 0 } = this.#intent;
    if (sent <= serverMs + FARTHEST_SET_BACK_MS) return;
    throw new ContractError(
      "BADARG",
      `sent ${sent} is ${sent - serverMs} ms ahead of the server's clock: ` +
        "give the server's time in ms before the first attempt, as serverTime() returns it",
    );
  }

  /** Waits until the server would reject an attempt whose reply was lost. */
  async #waitUntilExpired(): Promise<void> {
    for (;;) {
      const clock = await this.#connection.clock.know();
      const leftMs = (this.#openUntilMs ?? 0) + 1 - clock.earliest(performance.now());
      if (leftMs <= 0) return;
      if (leftMs > this.#work.remainingMs) throw new StillOpenError(leftMs);
      await pause(Math.min(leftMs, LONGEST_TIMER_MS));
    }
  }

  async #send(): Promise<Answer> {
    const { operation, id, words, notAfter: limit = Number.POSITIVE_INFINITY } = this.#intent;
    const line = this.#needsCopies ? await this.#connection.durable(this.#work) : undefined;
    const client = line?.client ?? this.#connection.client;
    const clock = await this.#connection.clock.know();
    const socket = line?.commits.socket;
    const now = performance.now();
    if (now >= this.#work.endsAt) throw new TimeUpError(); // the caller has its error by now
    const notAfter = Math.min(limit, clock.earliest(Math.min(now + this.#windowMs, this.#work.endsAt)));
    this.#windowMs *= 2;
    const openBefore = this.#openUntilMs;
    const isRetry = openBefore !== undefined;
    const args = [...words, "NOTAFTER", String(Math.max(0, notAfter))];
    if (isRetry) args.push("SENT", String(this.#sentMs));
    this.#openUntilMs = Math.max(openBefore ?? 0, notAfter);
    let reply: unknown;
    try {
      reply = await runScript(client, scripts[operation], entityKeys(this.#location, id), args);
    } catch (error) {
      if (classifyFailure(error) !== "unknown") this.#openUntilMs = openBefore;
      throw error;
    }
    this.#openUntilMs = openBefore;
    const { outcome, text } = readReply(reply);
    if (outcome === "EXPIRED" && notAfter < limit) {
      // The server was slow, or its clock was set.
      if (clock.earliest(performance.now()) <= notAfter) this.#connection.clock.forget();
      throw new LateError();
    }
    if (outcome === "OK" || outcome === "REPLAYED") {
      // Kept, because the call's time may end before this attempt does.
      this.#applied = { reply, copies: NO_COPIES };
      if (line === undefined) return { reply };
      return { reply, copies: await this.#copies(line.commits, socket) };
    }
    if (isRetry && INCONCLUSIVE.has(outcome)) return this.#settle(client, reply, outcome, text);
    return { reply };
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

  /** Resolves a retry whose rejection proves nothing about the lost attempt: by the entity, else by the event log. */
  async #settle(client: Valkey, reply: unknown, rejection: string, text: string | null): Promise<Answer> {
    const startedAt = performance.now();
    const open = this.#open;
    if (open === undefined) return { reply };
    if (rejection !== "FORGOTTEN") {
      const ring = await opInRing(client, open);
      if (ring.outcome === "DONE") return this.#recover(ring.document);
      if (ring.outcome === "NOTDONE") return { reply };
    }
    const log = await opInLog(client, open);
    if (log.outcome === "DONE") return this.#recover(log.document);
    if (log.outcome === "FORGOTTEN") return { reply: ["FORGOTTEN", text] };
    if (rejection !== "FORGOTTEN") return { reply };
    // The log proves that it was not applied so far, so it does not matter that the entity forgot older keys.
    const clock = await this.#connection.clock.know();
    this.#beganAt = startedAt;
    this.#sentMs = clock.earliest(startedAt);
    return this.#send();
  }

  /** Returns the change of a lost attempt, with its acknowledgements if the entity still remembers the key. */
  async #recover(document: Change | Replay): Promise<Answer> {
    this.#applied = { document, copies: UNCOUNTED };
    if (!this.#needsCopies) return this.#applied;
    const { client, commits } = await this.#connection.durable(this.#work);
    const { socket } = commits;
    const { id, op } = this.#intent;
    const args = [id, "UNSET", "none", "OP", op, "IFVERSION", NO_VERSION];
    const reply = await runScript(client, scripts.patch, entityKeys(this.#location, id), args);
    if (readReply(reply).outcome !== "REPLAYED") return this.#applied;
    return { document, copies: await this.#copies(commits, socket) };
  }
}
