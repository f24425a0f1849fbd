import type { Result } from "../changes/result.js";
import type { Change, Replay, Snapshot } from "../contract/document.js";
import type { Fields } from "../contract/own-fields.js";
import { codeOf } from "../errors/code-of.js";
import { ContractError } from "../errors/latchkey-error.js";
import type { NotDurableError, OutcomeUnknownError } from "../errors/outcome-errors.js";
import type { LeaseSource } from "./lease-source.js";

/** The value that a callback of `Hold.change` returns: the result of its call. */
export type ChangeResult<S extends string = string, F extends object = Fields> =
  | Change<S, F>
  | Replay<S, F>
  | Result<S, F>;

/** Effect of an own change on the hold: it goes on, must be confirmed by a renewal, ends with the state, or is lost. */
export type Standing =
  | "held"
  | "unconfirmed"
  | "left"
  | { readonly lost: string; readonly current: Snapshot };

/** The state of an entity that is held and, if the hold is fenced, its version. */
export class HeldState<S extends string = string> {
  readonly #source: LeaseSource<S>;
  readonly #entity: Snapshot<S>;
  readonly #isFenced: boolean;
  #version: number;

  constructor(source: LeaseSource<S>, entity: Snapshot<S>, isFenced: boolean) {
    this.#source = source;
    this.#entity = entity;
    this.#isFenced = isFenced;
    this.#version = entity.version;
  }

  /** The version that was last confirmed. */
  get version(): number {
    return this.#version;
  }

  /** Condition under which the lease may be renewed. */
  get guard(): { readonly ifVersion: number } | { readonly ifState: S } {
    return this.#isFenced ? { ifVersion: this.#version } : { ifState: this.#entity.state };
  }

  /** Accepts a renewal. Returns the reason if the lease is lost nevertheless. */
  acceptRenewal({ since, version }: Snapshot): string | undefined {
    if (since !== this.#entity.since) return `the state was entered again at ${since}`;
    this.#version = version;
    return undefined;
  }

  /** Accepts an own change and returns its effect on the hold. */
  async acceptChange(document: Change | Replay): Promise<Standing> {
    const isOvertaken = document.opVersion !== undefined && document.opVersion !== document.version;
    const change = isOvertaken ? await this.#findChange(document) : document;
    const previous = this.#version;
    this.#version = change.opVersion ?? change.version;
    const lost = this.#conflict(change, previous);
    if (lost !== undefined) return { lost, current: document };
    // Others changed the entity after it. Only a renewal shows whether one of them left the state.
    if (change.version !== this.#version) return "unconfirmed";
    const { state, since } = this.#entity;
    if (change.state !== state || change.since !== since || this.#isRemoval(change)) return "left";
    return isOvertaken ? "unconfirmed" : "held";
  }

  /**
   * Returns the change that a callback made; undefined if it was rejected.
   *
   * @throws ContractError with code BADARG if the callback returned anything else
   */
  changeFrom(returned: unknown): Change | Replay | undefined {
    let change = returned;
    if (isResult(returned)) {
      if (!returned.ok) return undefined;
      change = returned.document;
    }
    if (isDocument(change) && this.#isOwn(change)) return change;
    const what = isDocument(change) ? `a change of ${change.machine} ${change.id}` : describe(change);
    const { machine, id } = this.#entity;
    const message = `the callback of change returned ${what}, not a change of ${machine} ${id}`;
    throw new ContractError("BADARG", `${message}; return the result of its call`);
  }

  /** Returns the own change that was applied although its call threw this error; undefined if there is none. */
  changeBehind(error: unknown): Change | Replay | undefined {
    return isNotDurable(error) && this.#isOwn(error.document) ? error.document : undefined;
  }

  /** True if the error leaves unknown whether an own change was applied. */
  leavesUnknown(error: unknown): error is OutcomeUnknownError {
    return isOutcomeUnknown(error) && this.#isOwn(error);
  }

  #isOwn({ machine, id }: { readonly machine: string; readonly id: string }): boolean {
    return machine === this.#entity.machine && id === this.#entity.id;
  }

  /** Finds the change itself in the entity's history if others changed the entity since; else returns the document. */
  async #findChange(document: Change | Replay): Promise<Change | Replay> {
    const { id, opVersion } = document;
    const changes = await this.#source.history(id).catch(() => []);
    const at = changes.findIndex(({ version }) => version === opVersion);
    const change = changes[at];
    if (change === undefined) return document;
    const entry = changes.slice(0, at + 1).findLast(({ type }) => type !== this.#updated);
    const since = entry?.timestamp ?? this.#entity.since;
    return { ...document, ...change, since, opVersion: undefined } as Change;
  }

  /** Explains why a change was applied to something other than the held state, though at the same version. */
  #conflict(change: Change | Replay, version: number): string | undefined {
    const { createdAt, since, from, type } = change;
    if (createdAt !== this.#entity.createdAt)
      return `the entity was removed and created again at ${createdAt}`;
    // A replay shows the entity as it is now, not the state that its change was applied to.
    if (from === undefined) return undefined;
    const stays = type === this.#updated || this.#isRemoval(change);
    if (from === this.#entity.state && (since === this.#entity.since || !stays)) return undefined;
    return `version ${version} was used twice, also for state ${from} since ${since}`;
  }

  /** The event of a change that stays in its state. */
  get #updated(): string {
    return `${this.#entity.machine}.updated`;
  }

  #isRemoval({ type }: Change | Replay): boolean {
    return type === `${this.#entity.machine}.removed`;
  }
}

// A callback of `Hold.change` may use another copy of this package, whose errors have the same codes but other classes.

function isNotDurable(error: unknown): error is NotDurableError {
  return codeOf(error) === "NOTDURABLE" && isRecord(error) && isDocument(error.document);
}

function isOutcomeUnknown(error: unknown): error is OutcomeUnknownError {
  return codeOf(error) === "UNKNOWN";
}

/** Recognizes a result. A document may have an own field `ok`, but always has a version. */
function isResult(value: unknown): value is Result {
  return isRecord(value) && typeof value.ok === "boolean" && !("version" in value);
}

function isDocument(value: unknown): value is Change | Replay {
  return isRecord(value) && (typeof value.type === "string" || typeof value.opVersion === "number");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return isRecord(value) && "version" in value ? "an entity that was read" : "something else";
}
