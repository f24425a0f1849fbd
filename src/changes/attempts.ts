import type { Valkey } from "iovalkey";
import { documentText } from "../contract/document.js";
import type { Reply } from "../contract/reply.js";
import { ClosedError } from "../errors/closed-error.js";
import { ContractError } from "../errors/latchkey-error.js";
import { scripts } from "../lua/index.js";
import type { Connection, Server } from "../valkey/connection.js";
import { Deadline, TimeUpError } from "../valkey/deadline.js";
import { BacklogError, LateError, OfflineError } from "../valkey/failure.js";
import type { GroupCommit } from "../valkey/group-commit.js";
import { firstWindowMs } from "../valkey/in-flight.js";
import { entityKeys, type MachineLocation } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { NoConfirmationError } from "../valkey/no-confirmation.js";
import { performance, setTimeout } from "../valkey/real-time.js";
import { retry } from "../valkey/retry.js";
import { ScriptCall } from "../valkey/script-call.js";
import { isLater } from "../valkey/stream.js";
import type { Answer, Intent } from "./intent.js";
import { FailedAttempts, type OpenOp, opInLog, resolveOp, waitUntilOver } from "./op-lookup.js";
import { type Copies, NO_COPIES } from "./result.js";

/** Acknowledgements of a change that cannot be counted: only the reply to a write counts them, and its reply was lost. */
const UNCOUNTED: Copies = {
  ...NO_COPIES,
  problem: "its reply was lost, and acknowledgements can no longer be counted",
};

/** Acknowledgements of a change that was waiting for them when latchkey was closed. */
const CUT_OFF: Copies = { ...NO_COPIES, problem: "latchkey was closed before a copy was acknowledged" };

// One error of each kind for all calls, because thousands can end at once, and stack traces take time.
const BEHIND_ENTITY = new BacklogError("earlier changes of this entity by this process took all of its time");
const BEHIND_CALLS = new BacklogError("earlier calls of this process took all of its time");

/** The reply to one attempt, and its NOTAFTER. */
interface Sent {
  readonly reply: Reply;
  readonly untilMs: number;
  readonly copies?: Copies;
}

/** Share of the call's time that is reserved for resolving an attempt whose reply was lost. */
const RESOLVE_SHARE = 0.1;

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
  readonly #call: ScriptCall;
  /** Key of the entity. */
  readonly #entity: string;
  /** Key of the event log. */
  readonly #events: string;
  #seen: string | undefined;
  /** Length of the time in which the next attempt may be executed, in ms. It doubles with each attempt. */
  #windowMs: number;
  /** Set while earlier calls must end before an attempt of this one is sent: the error if they do not end in time. */
  #backlog: BacklogError | undefined;
  /** True while later changes of the entity wait for this one. */
  #hasTurn = false;
  /** True after the first attempt was sent. */
  #isRetry = false;
  /** Answer of an attempt that was applied. */
  #applied: Answer | undefined;

  constructor({ connection, location, recover }: MachineStore, intent: Intent) {
    this.#location = location;
    this.#intent = intent;
    const { operation, id, timeoutMs, seen, notAfter, isDryRun } = intent;
    const now = performance.now();
    this.#deadline = new Deadline(now, timeoutMs);
    this.#work = new Deadline(now, timeoutMs * (1 - RESOLVE_SHARE));
    const keys = entityKeys(location, id);
    [this.#entity = "", , , , , this.#events = ""] = keys;
    this.#connection = connection.of(this.#entity);
    this.#call = new ScriptCall(scripts[operation], keys, recover);
    this.#windowMs = firstWindowMs(timeoutMs);
    this.#seen = seen;
    if (seen !== undefined && !isDryRun) this.#call.open(notAfter ?? 0);
  }

  /** Sends attempts until one is answered. @throws FailedAttempts if none was answered in time */
  async answer(): Promise<Answer> {
    const { order } = this.#connection;
    if (!order.tryEnter(this.#entity)) {
      const turn = order.wait(this.#entity, this.#work);
      await this.#work.race(this.#wait(BEHIND_ENTITY, turn)).catch((error: unknown) => {
        throw new FailedAttempts(this.#explain(error), undefined);
      });
    }
    this.#hasTurn = true;
    const name = `${this.#intent.operation} ${this.#location.machine} ${this.#intent.id}`;
    let isOpen = false;
    try {
      return await retry(this.#connection, this.#work, name, (_, server) => this.#attempt(server));
    } catch (error) {
      return await this.#answerAfter(error).catch((failure: unknown) => {
        isOpen = failure instanceof FailedAttempts && failure.open !== undefined;
        throw failure;
      });
    } finally {
      // An attempt that may still be executed must not come after a later change.
      if (isOpen && !this.#work.isOver) setTimeout(() => this.#letNext(), this.#work.remainingMs).unref();
      else this.#letNext();
    }
  }

  /** Looks for the answer of an attempt after the last one has failed. @throws FailedAttempts if there is none */
  async #answerAfter(error: unknown): Promise<Answer> {
    if (error instanceof ContractError) throw error;
    const open = this.#open; // read now: an abandoned attempt may still be running
    if (this.#applied !== undefined)
      return error instanceof ClosedError ? { ...this.#applied, copies: CUT_OFF } : this.#applied;
    if (open === undefined) throw new FailedAttempts(this.#explain(error), undefined);
    const resolution = await resolveOp(this.#connection, open, this.#deadline).catch(() => undefined);
    if (resolution?.outcome === "DONE") return { document: resolution.document, copies: UNCOUNTED };
    if (resolution?.outcome === "FORGOTTEN") {
      const { outcome, current } = resolution;
      return { reply: { outcome, text: current && documentText(current), position: null } };
    }
    throw new FailedAttempts(error, resolution === undefined ? open : undefined);
  }

  /** The attempts whose outcome is unknown. */
  get #open(): OpenOp | undefined {
    const { openUntilMs } = this.#call;
    return openUntilMs === undefined ? undefined : this.#attemptUntil(openUntilMs);
  }

  #attemptUntil(untilMs: number): OpenOp {
    const { id, op, seen } = this.#intent;
    const isShared = seen !== undefined;
    return { location: this.#location, id, op, seen: this.#seen ?? "0-0", isShared, untilMs };
  }

  /** Waits for a turn in this process. A call that waits has not started. */
  async #wait(backlog: BacklogError, turn: Promise<void>): Promise<void> {
    this.#backlog = backlog;
    await turn;
    this.#backlog = undefined;
  }

  /** Explains a call that ended before it was sent. */
  #explain(error: unknown): unknown {
    return error instanceof TimeUpError ? (this.#backlog ?? error) : error;
  }

  /** Lets the next change of the entity begin. */
  #letNext(): void {
    if (this.#hasTurn) this.#connection.order.leave(this.#entity);
    this.#hasTurn = false;
  }

  /** Sends the change until an answer is final for all attempts. */
  async #attempt(server: Server): Promise<Answer> {
    const { client } = server;
    for (;;) {
      const isOver = this.#call.openUntilMs === 0;
      const answer = await this.#send(server);
      const { outcome, position } = answer.reply;
      if (outcome === "FORGOTTEN") {
        // The first attempt too: a proxy may have delivered a copy of it before.
        const attempt = this.#attemptUntil(answer.untilMs);
        const found = await opInLog(client, this.#open ?? attempt, null);
        if (found.outcome === "DONE") {
          this.#applied = { document: found.document, copies: UNCOUNTED };
          return this.#applied;
        }
        const end = position ?? "0-0";
        await this.#connection.verify(); // the namespace may have been created anew
        this.#connection.positions.reset(this.#events, end);
        const isLost = isLater(attempt.seen, end);
        // The log will pass a position that it has lost. A repeat by another process would then be taken for a first attempt.
        if (found.outcome === "FORGOTTEN" || (isLost && attempt.isShared)) return answer;
        const isFirst = this.#call.openUntilMs === undefined;
        // A copy of the first attempt could be executed later, when the log has passed its position.
        if (isFirst && isLost) this.#call.open(attempt.untilMs);
        else if (isFirst || isOver) {
          // No attempt was applied, and none will be: begin anew.
          this.#seen = this.#notBefore(end);
          this.#call.close();
          continue;
        }
        // A rejection answers for all attempts that were executed, EXPIRED for all.
      } else if (outcome === "OK" || outcome === "REPLAYED" || outcome === "EXPIRED") return answer;
      else if (isOver || this.#call.openUntilMs === undefined) return answer;
      await waitUntilOver(client, this.#call.openUntilMs ?? 0, this.#work);
      this.#call.open(0);
    }
  }

  /** Returns the later one of a position and the intent's `after`. */
  #notBefore(position: string): string {
    const { after } = this.#intent;
    return after !== undefined && isLater(after, position) ? after : position;
  }

  #send(server: Server): Promise<Sent> {
    const { local, replicas } = this.#intent.durability.need;
    return local + replicas > 0 ? this.#sendDurably(server) : this.#sendNow(server, server.client);
  }

  /** Sends one attempt, and waits for its acknowledgements. */
  async #sendDurably(server: Server): Promise<Sent> {
    const line = await server.durable(this.#work);
    if (this.#intent.durability.need.local > 0) await line.commits.checkDisk();
    const { socket } = line.commits;
    const sent = await this.#sendNow(server, line.client, false);
    if (sent.reply.outcome !== "OK" && sent.reply.outcome !== "REPLAYED") return sent;
    this.#applied = { reply: sent.reply, copies: NO_COPIES };
    this.#letNext();
    return { ...sent, copies: await this.#copies(line.commits, socket) };
  }

  /** @param isLimited false behind a WAIT: the server answers late, however few calls are in flight */
  async #sendNow(server: Server, client: Valkey, isLimited = true): Promise<Sent> {
    const { inFlight } = server;
    if (isLimited && !inFlight.tryEnter())
      await this.#wait(BEHIND_CALLS, inFlight.wait(this.#work, this.#isRetry));
    let sentAt: number | undefined;
    try {
      let untilMs = this.#prepare(server);
      while (untilMs === undefined) {
        await this.#askServer(server);
        untilMs = this.#prepare(server);
      }
      const { op, words, isDryRun } = this.#intent;
      const args = [...words, "OP", op, "SEEN", this.#seen ?? "0-0", "NOTAFTER", String(untilMs)];
      const before = performance.now();
      this.#isRetry = true;
      const reply = await this.#call.send(client, args, isDryRun ? null : untilMs);
      sentAt = before;
      // Kept, because the call's time may end before this attempt does.
      if (reply.outcome === "OK" || reply.outcome === "REPLAYED") this.#applied = { reply };
      this.#learn(server, reply, untilMs);
      return { reply, untilMs };
    } finally {
      if (isLimited) inFlight.leave(sentAt);
    }
  }

  /** Asks the server for its time and a position of the event log. */
  async #askServer({ clock }: Server): Promise<void> {
    const { positions } = this.#connection;
    const [position] = await Promise.all([positions.know(this.#events), clock.know()]);
    this.#seen ??= position;
  }

  /** Determines SEEN and NOTAFTER of the next attempt. @returns NOTAFTER; undefined if the server must be asked first */
  #prepare({ clock }: Server): number | undefined {
    this.#seen ??= this.#connection.positions.recent(this.#events);
    const estimate = clock.recent;
    if (this.#seen === undefined || estimate === undefined) return undefined;
    this.#seen = this.#notBefore(this.#seen);
    const now = performance.now();
    if (now >= this.#work.endsAt) throw new TimeUpError(); // the caller has its error by now
    const endsAt = Math.min(now + this.#windowMs, this.#work.endsAt);
    this.#windowMs *= 2;
    return Math.max(0, Math.min(this.#limitMs, estimate.earliest(endsAt)));
  }

  get #limitMs(): number {
    return this.#intent.notAfter ?? Number.POSITIVE_INFINITY;
  }

  /** Learns from a reply. @throws LateError if the attempt was executed too late */
  #learn({ clock }: Server, { outcome, position }: Reply, untilMs: number): void {
    if (outcome !== "FORGOTTEN" && position !== null)
      this.#connection.positions.learn(this.#events, position);
    if (outcome !== "EXPIRED" || untilMs >= this.#limitMs) return;
    // The server was slow, or its clock was set.
    const isClockWrong = (clock.recent?.earliest(performance.now()) ?? 0) <= untilMs;
    if (isClockWrong) clock.forget();
    throw new LateError();
  }

  /** Waits for acknowledgements of an applied change. If the connection or the primary is lost, a retry counts them. */
  async #copies(commits: GroupCommit, socket: unknown): Promise<Copies> {
    const { need, timeoutMs } = this.#intent.durability;
    try {
      return await commits.wait(need, Math.min(timeoutMs, this.#work.remainingMs), socket);
    } catch (error) {
      const isDemoted = error instanceof NoConfirmationError && error.reason === "replica";
      if (error instanceof NoConfirmationError && !isDemoted) return { ...NO_COPIES, problem: error.message };
      // It was executed: the next attempt is a retry and need not wait.
      if (this.#call.openUntilMs === undefined) this.#call.open(0);
      throw isDemoted ? new OfflineError() : error;
    }
  }
}
