import { type Change, type Replay, readDocument, type Snapshot } from "../contract/document.js";
import { type Acknowledged, isMet, type Need } from "../contract/durability.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { NotDurableError } from "../errors/outcome-errors.js";
import type { RejectedError } from "../errors/rejected-errors.js";

/** The outcomes that refuse a change of an entity. */
export type Rejection = "EXISTS" | "ILLEGAL" | "CONFLICT" | "MISSING" | "FORGOTTEN" | "NOTFOUND" | "EXPIRED";

/** The copies of a change, where some were asked for. */
export interface Confirmation {
  /** True where there are as many as were asked for. */
  readonly met: boolean;
  /** 1 where the server has it on disk. */
  readonly local: number;
  /** How many replicas acknowledged it. */
  readonly replicas: number;
  /** Why the server could not say, where it could not. */
  readonly problem?: string;
}

/** What a `try…` call returns: done, done before, or refused with the entity as it is now. */
export type Result<S extends string = string> =
  | {
      readonly ok: true;
      readonly outcome: "OK";
      readonly document: Change<S>;
      readonly durability?: Confirmation;
    }
  | {
      readonly ok: true;
      readonly outcome: "REPLAYED";
      readonly document: Replay<S>;
      readonly durability?: Confirmation;
    }
  | {
      readonly ok: false;
      readonly outcome: Rejection;
      readonly current: Snapshot<S> | null;
      /** What the throwing form of the call throws. */
      readonly error: RejectedError;
    };

const REJECTIONS: ReadonlySet<string> = new Set<Rejection>([
  "EXISTS",
  "ILLEGAL",
  "CONFLICT",
  "MISSING",
  "FORGOTTEN",
  "NOTFOUND",
  "EXPIRED",
]);

function isRejection(outcome: string): outcome is Rejection {
  return REJECTIONS.has(outcome);
}

/** Takes a script's two-element array apart. */
export function readReply(reply: unknown): { outcome: string; text: string | null } {
  if (Array.isArray(reply) && reply.length === 2) {
    const [outcome, text]: unknown[] = reply;
    if (typeof outcome === "string" && (typeof text === "string" || text === null)) return { outcome, text };
  }
  throw new LatchkeyError(
    "PROTOCOL",
    "the server's answer is none of a latchkey script; is something rewriting calls?",
  );
}

/**
 * Decodes the reply to a change of an entity.
 *
 * @param explain makes the error of a refusal
 */
export function readResult<S extends string>(
  reply: unknown,
  explain: (refusal: Rejection, current: Snapshot<S> | null) => RejectedError,
): Result<S> {
  const { outcome, text } = readReply(reply);
  if (outcome === "OK" && text !== null)
    return { ok: true, outcome, document: readDocument<Change<S>>(text) };
  if (outcome === "REPLAYED" && text !== null)
    return { ok: true, outcome, document: readDocument<Replay<S>>(text) };
  if (!isRejection(outcome)) {
    throw new LatchkeyError("PROTOCOL", `outcome ${outcome} is not one this version of latchkey knows`);
  }
  const current = text === null ? null : readDocument<Snapshot<S>>(text);
  return { ok: false, outcome, current, error: explain(outcome, current) };
}

/** The result of a change whose answer was lost, and which the server knows to be done. */
export function doneBefore<S extends string>(document: Change | Replay): Result<S> {
  if (document.opVersion === undefined) return { ok: true, outcome: "OK", document: document as Change<S> };
  return { ok: true, outcome: "REPLAYED", document: document as Replay<S> };
}

/** The result together with what is known of its copies, where some were asked for. */
export function withCopies<S extends string>(
  result: Result<S>,
  need: Need,
  copies: Acknowledged & { readonly problem?: string } = { local: 0, replicas: 0 },
): Result<S> {
  if (!result.ok || need.local + need.replicas === 0) return result;
  return { ...result, durability: { ...copies, met: isMet(need, copies) } };
}

/** The document of a change that was done, now or before; throws what a refusal carries, or that copies are missing. */
export function unwrap<S extends string>(result: Result<S>): Change<S> | Replay<S> {
  if (!result.ok) throw result.error;
  if (result.durability?.met === false) throw new NotDurableError(result.document, result.durability);
  return result.document;
}
