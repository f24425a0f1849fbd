import { type Change, type Replay, readDocument, type Snapshot } from "../contract/document.js";
import { type Acknowledged, isMet, type Need } from "../contract/durability.js";
import type { Fields } from "../contract/own-fields.js";
import { type Reply, unknownOutcome } from "../contract/reply.js";
import { NotDurableError } from "../errors/outcome-errors.js";
import type { RejectedError } from "../errors/rejected-errors.js";

const REJECTIONS = ["EXISTS", "ILLEGAL", "CONFLICT", "MISSING", "FORGOTTEN", "NOTFOUND", "EXPIRED"] as const;

/** Outcomes that reject a change of an entity. */
export type Rejection = (typeof REJECTIONS)[number];

/** Acknowledgements of a change. */
export interface Copies extends Acknowledged {
  /** Reason if the server could not count them. */
  readonly problem?: string;
}

export const NO_COPIES: Copies = { local: 0, replicas: 0 };

/** Durability of a change: the acknowledgements that it got, if any were required. */
export interface Confirmation {
  /** True if all required acknowledgements arrived in time. */
  readonly met: boolean;
  /** 1 if the server itself has the change on disk, else 0. */
  readonly local: number;
  /** Number of replicas that acknowledged the change. */
  readonly replicas: number;
  /** Reason if the server could not count the acknowledgements. */
  readonly problem?: string;
}

/** Result of a `try…` call: applied (OK), applied by an earlier attempt (REPLAYED), or rejected. */
export type Result<S extends string = string, F extends object = Fields> =
  | {
      readonly ok: true;
      readonly outcome: "OK";
      readonly document: Change<S, F>;
      readonly durability?: Confirmation;
    }
  | {
      readonly ok: true;
      readonly outcome: "REPLAYED";
      readonly document: Replay<S, F>;
      readonly durability?: Confirmation;
    }
  | {
      readonly ok: false;
      readonly outcome: Rejection;
      /** The entity as it is now; null if it does not exist. */
      readonly current: Snapshot<S, F> | null;
      /** The error that the method without `try` throws. Made when it is read, so `{ ...result }` does not contain it. */
      readonly error: RejectedError;
    };

/** Makes the error of a rejection. */
type Explain = (rejection: Rejection, current: Snapshot | null) => RejectedError;

/** A rejection. Its error is made on demand, because a stack trace costs more than the call. */
class RejectedResult {
  readonly ok = false;
  readonly outcome: Rejection;
  readonly current: Snapshot | null;
  readonly #explain: Explain;
  #error: RejectedError | undefined;

  constructor(outcome: Rejection, current: Snapshot | null, explain: Explain) {
    this.outcome = outcome;
    this.current = current;
    this.#explain = explain;
  }

  get error(): RejectedError {
    this.#error ??= this.#explain(this.outcome, this.current);
    return this.#error;
  }
}

/**
 * Reads the reply to a change of an entity.
 *
 * @param explain makes the error of a rejection
 */
export function readResult<S extends string, F extends object>(
  { outcome, text }: Reply,
  explain: Explain,
): Result<S, F> {
  if ((outcome === "OK" || outcome === "REPLAYED") && text !== null)
    return acceptedResult<S, F>(readDocument(text));
  const rejection = REJECTIONS.find((word) => word === outcome);
  if (rejection === undefined) throw unknownOutcome(outcome);
  const current = text === null ? null : readDocument<Snapshot>(text);
  return new RejectedResult(rejection, current, explain) as Result<S, F>;
}

/** Makes the result of an applied change. Only a replay has `opVersion`. */
export function acceptedResult<S extends string, F extends object>(document: Change | Replay): Result<S, F> {
  if (document.opVersion === undefined)
    return { ok: true, outcome: "OK", document: document as Change<S, F> };
  return { ok: true, outcome: "REPLAYED", document: document as Replay<S, F> };
}

/** Adds the acknowledgements to a result, if any were required. */
export function withCopies<S extends string, F extends object>(
  result: Result<S, F>,
  need: Need,
  copies: Copies = NO_COPIES,
): Result<S, F> {
  if (!result.ok || need.local + need.replicas === 0) return result;
  return { ...result, durability: { ...copies, met: isMet(need, copies) } };
}

/** Returns the document of an applied change. @throws the error of a rejection, or NotDurableError */
export function unwrap<S extends string, F extends object>(
  result: Result<S, F>,
): Change<S, F> | Replay<S, F> {
  if (!result.ok) throw result.error;
  if (result.durability?.met === false)
    throw new NotDurableError(result.document as Change | Replay, result.durability);
  return result.document;
}
