import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { type Change, documentText, type Replay } from "../contract/document.js";
import type { Acknowledged, DurabilityNeed } from "../contract/durability.js";
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
import { type OpenOp, opInLog, opInRing, resolveOp, StillOpenError } from "./op-lookup.js";
import { readReply } from "./result.js";

/** A change that is to be made, in all its attempts. */
export interface Intent {
  readonly operation: Exclude<Operation, "apply">;
  readonly id: string;
  readonly op: string;
  /** The script's arguments, without NOTAFTER and SENT. */
  readonly words: readonly string[];
  readonly timeoutMs: number;
  /** The caller's own limit, in server time. */
  readonly notAfter?: number | undefined;
  /** Server time before another process may have tried it. */
  readonly sent?: number | undefined;
  readonly durability: DurabilityNeed;
}

/** The copies of a change that were acknowledged. */
export interface Copies extends Acknowledged {
  /** Why the server could not say, where it could not. */
  readonly problem?: string;
}

/** What came of it: a script's reply, or what the server knew of an attempt whose reply was lost. */
export type Answer = ({ readonly reply: unknown } | { readonly done: Change | Replay }) & {
  readonly copies?: Copies;
};

const NO_COPIES: Copies = { local: 0, replicas: 0 };
/** Copies are counted by a reply to a write, and nothing is left to write to: the entity is gone, or has forgotten the op. */
const UNCOUNTED: Copies = {
  ...NO_COPIES,
  problem: "its answer was lost, and its copies can't be counted any more",
};

/**
 * The refusals that tell nothing about an attempt before: EXPIRED is judged before the op is looked for, on NOTFOUND there
 * is no entity to remember it, and FORGOTTEN says so itself. The other ones come after both, and prove that there was none.
 */
const TELLS_NOTHING: ReadonlySet<string> = new Set(["EXPIRED", "NOTFOUND", "FORGOTTEN"]);
/** No entity ever has this version: a patch with it answers REPLAYED, by a tiny write, or changes nothing. */
const NO_VERSION = "999999999999999";

/** No attempt was answered in time. */
export class FailedAttempts extends Error {
  override readonly name = "FailedAttempts";
  /** What the last attempt failed with. */
  readonly last: unknown;
  /** What is needed to ask later; undefined where nothing was executed, nor will be. */
  readonly open: OpenOp | undefined;

  constructor(last: unknown, open: OpenOp | undefined) {
    super("no attempt was answered in time");
    this.last = last;
    this.open = open;
  }
}

/** The last part of a call's time is kept to find out what became of an attempt that is still open then. */
const KEPT_TO_ASK = 0.1;
/** The first attempt may be executed for this part of the call's time, and this long at most; each further one twice as long. */
const FIRST_WINDOW = 0.25;
const LONGEST_FIRST_WINDOW_MS = 1_000;
/** A `sent` that is later by more than this is none: it has another unit, or comes from elsewhere. */
const FARTHEST_SET_BACK_MS = 24 * 3_600_000;

/**
 * All attempts at one change. They carry the same op, and a NOTAFTER on the server's clock. One whose reply was lost is
 * tried again only when the server would refuse the lost one, so that nothing is executed twice, nor after the caller
 * was told that it was not.
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
  /** Server time until which an attempt may be executed whose outcome is unknown. */
  #openUntilMs: number | undefined;
  /** What is known of an attempt that was executed. */
  #made: Answer | undefined;

  constructor(connection: Connection, location: MachineLocation, intent: Intent) {
    this.#connection = connection;
    this.#location = location;
    this.#intent = intent;
    const { timeoutMs, sent } = intent;
    this.#deadline = Deadline.in(timeoutMs);
    this.#beganAt = this.#deadline.endsAt - timeoutMs;
    this.#work = new Deadline(this.#deadline.endsAt - KEPT_TO_ASK * timeoutMs);
    this.#windowMs = Math.min(LONGEST_FIRST_WINDOW_MS, FIRST_WINDOW * timeoutMs);
    this.#sentMs = sent ?? Number.POSITIVE_INFINITY;
    if (sent !== undefined) this.#openUntilMs = sent + (1 - KEPT_TO_ASK) * timeoutMs;
  }

  /**
   * Tries until there is an answer.
   *
   * @throws FailedAttempts
   */
  async answer(): Promise<Answer> {
    const { operation, id } = this.#intent;
    const name = `${operation} ${this.#location.machine} ${id}`;
    try {
      return await retry(this.#connection, this.#work, name, () => this.#attempt());
    } catch (error) {
      if (error instanceof ContractError) throw error;
      const open = this.#open; // now: an attempt that was given up may still go on
      if (this.#made !== undefined) return this.#made;
      if (open === undefined) throw new FailedAttempts(error, undefined);
      const resolution = await resolveOp(this.#connection, open, this.#deadline).catch(() => undefined);
      if (resolution?.outcome === "DONE") return { done: resolution.document, copies: UNCOUNTED };
      if (resolution?.outcome === "FORGOTTEN") {
        const { current } = resolution;
        return { reply: ["FORGOTTEN", current === null ? null : documentText(current)] };
      }
      throw new FailedAttempts(error, resolution === undefined ? open : undefined);
    }
  }

  /** What an attempt whose outcome is unknown leaves open. */
  get #open(): OpenOp | undefined {
    if (this.#openUntilMs === undefined) return undefined;
    const { id, op } = this.#intent;
    return {
      location: this.#location,
      id,
      op,
      sentMs: this.#sentMs,
      beganAt: this.#beganAt,
      untilMs: this.#openUntilMs,
    };
  }

  async #attempt(): Promise<Answer> {
    // A new look at the clock may tell an earlier time; the true one is not before the earliest.
    const clock = await this.#connection.clock.know();
    this.#sentMs = Math.min(this.#sentMs, clock.earliest(this.#beganAt));
    if (this.#open !== undefined) {
      const seen = await opInRing(this.#connection.client, this.#open);
      // Where copies are to be counted it is the retry that they are counted by.
      if (seen.outcome === "DONE" && !this.#wantsCopies) return { done: seen.document };
      if (seen.outcome !== "DONE") {
        this.#refuseFuture(seen.serverMs);
        if (this.#intent.operation === "remove" && seen.current === null) {
          const logged = await opInLog(this.#connection.client, this.#open);
          if (logged.outcome === "DONE") return { done: logged.document, copies: UNCOUNTED };
        }
      }
      await this.#untilRefused();
    }
    return this.#send();
  }

  /** An attempt before that is still to come is waited for; not one that no clock explains that was set back since. */
  #refuseFuture(serverMs: number): void {
    const { sent = 0 } = this.#intent;
    if (sent <= serverMs + FARTHEST_SET_BACK_MS) return;
    throw new ContractError(
      "BADARG",
      `sent ${sent} is ${sent - serverMs} ms later than the server's clock shows: ` +
        "it must be the server's time before the first attempt; see serverTime()",
    );
  }

  /** Waits until the server would refuse an attempt whose reply was lost. */
  async #untilRefused(): Promise<void> {
    const leftMs = async (): Promise<number> => {
      const clock = await this.#connection.clock.know();
      return (this.#openUntilMs ?? 0) + 1 - clock.earliest(performance.now());
    };
    for (let left = await leftMs(); left > 0; left = await leftMs()) {
      if (left > this.#work.remainingMs) throw new StillOpenError(left);
      await pause(Math.min(left, LONGEST_TIMER_MS));
    }
  }

  async #send(): Promise<Answer> {
    const { operation, id, words, notAfter: limit = Number.POSITIVE_INFINITY } = this.#intent;
    const line = this.#wantsCopies ? await this.#connection.durable(this.#work) : undefined;
    const client = line?.client ?? this.#connection.client;
    const clock = await this.#connection.clock.know();
    const socket = line?.commits.socket;
    const now = performance.now();
    if (now >= this.#work.endsAt) throw new TimeUpError(); // the caller has been answered meanwhile
    const notAfter = Math.min(limit, clock.earliest(Math.min(now + this.#windowMs, this.#work.endsAt)));
    this.#windowMs *= 2;
    const isRetry = this.#openUntilMs !== undefined;
    const times = [
      "NOTAFTER",
      String(Math.max(0, notAfter)),
      ...(isRetry ? ["SENT", String(this.#sentMs)] : []),
    ];
    const openBefore = this.#openUntilMs;
    this.#openUntilMs = Math.max(openBefore ?? 0, notAfter);
    let reply: unknown;
    try {
      reply = await runScript(client, scripts[operation], entityKeys(this.#location, id), [
        ...words,
        ...times,
      ]);
    } catch (error) {
      if (classifyFailure(error) !== "unknown") this.#openUntilMs = openBefore;
      throw error;
    }
    this.#openUntilMs = openBefore;
    const { outcome, text } = readReply(reply);
    if (outcome === "EXPIRED" && notAfter < limit) {
      // Either the server was slow, or its clock is not where it was.
      if (clock.earliest(performance.now()) <= notAfter) this.#connection.clock.forget();
      throw new LateError();
    }
    if (outcome === "OK" || outcome === "REPLAYED") {
      // Kept, because the call's time may be over before this attempt ends, and then nothing tells of it any more.
      this.#made = { reply, copies: NO_COPIES };
      if (line === undefined) return { reply };
      return { reply, copies: await this.#copies(line.commits, socket) };
    }
    if (isRetry && TELLS_NOTHING.has(outcome)) return this.#settle(client, reply, outcome, text);
    return { reply };
  }

  get #wantsCopies(): boolean {
    const { local, replicas } = this.#intent.durability.need;
    return local + replicas > 0;
  }

  /** Counts the copies of a change that was made. A connection or a primary lost meanwhile leaves it to a retry to find out. */
  async #copies(commits: GroupCommit, socket: unknown): Promise<Copies> {
    const { need, timeoutMs } = this.#intent.durability;
    try {
      return await commits.wait(need, Math.min(timeoutMs, this.#work.remainingMs), socket);
    } catch (error) {
      const isDemoted = error instanceof NoConfirmationError && error.reason === "replica";
      if (error instanceof NoConfirmationError && !isDemoted) return { ...NO_COPIES, problem: error.message };
      this.#openUntilMs ??= 0; // it was executed: what comes now is a retry, and need not wait
      throw isDemoted ? new OfflineError() : error;
    }
  }

  /** Of a retry that was refused, and tells nothing of a lost attempt: the entity may tell, else the log. */
  async #settle(client: Valkey, reply: unknown, refusal: string, text: string | null): Promise<Answer> {
    const askedAt = performance.now();
    const open = this.#open;
    if (open === undefined) return { reply };
    if (refusal !== "FORGOTTEN") {
      const seen = await opInRing(client, open);
      if (seen.outcome === "DONE") return this.#found(seen.document);
      if (seen.outcome === "NOTDONE") return { reply };
    }
    const logged = await opInLog(client, open);
    if (logged.outcome === "DONE") return this.#found(logged.document);
    if (logged.outcome === "FORGOTTEN") return { reply: ["FORGOTTEN", text] };
    if (refusal !== "FORGOTTEN") return { reply };
    // It was not done until the log was asked, so what was forgotten before does not matter.
    const clock = await this.#connection.clock.know();
    this.#beganAt = askedAt;
    this.#sentMs = clock.earliest(askedAt);
    return this.#send();
  }

  /** A change that a lost attempt made. Its copies are counted where the entity remembers it. */
  async #found(done: Change | Replay): Promise<Answer> {
    this.#made = { done, copies: UNCOUNTED };
    if (!this.#wantsCopies) return this.#made;
    const { client, commits } = await this.#connection.durable(this.#work);
    const { socket } = commits;
    const { id, op } = this.#intent;
    const question = [id, "UNSET", "none", "OP", op, "IFVERSION", NO_VERSION];
    const reply = await runScript(client, scripts.patch, entityKeys(this.#location, id), question);
    if (readReply(reply).outcome !== "REPLAYED") return this.#made;
    return { done, copies: await this.#copies(commits, socket) };
  }
}
