import { countText } from "../contract/count-text.js";
import { LatchkeyError } from "./latchkey-error.js";

/** Counts of what prevents the removal of a reaction. */
interface InTheWay {
  readonly living: number;
  readonly pending: number;
  readonly deadLetters: number;
}

/**
 * A reaction cannot be removed, and nothing of it was removed. `code` is `"INUSE"`. `problem` is `"LIVING"` if replicas
 * of it run, which `force` does not override; `"UNFINISHED"` if it has events or dead letters, which `force` discards.
 */
export class ReactionInUseError extends LatchkeyError {
  override readonly name = "ReactionInUseError";
  readonly machine: string;
  readonly reaction: string;
  readonly problem: "LIVING" | "UNFINISHED";
  /** Number of running replicas. */
  readonly replicas: number;
  /** Events that are delivered to replicas and not finished. */
  readonly pending: number;
  readonly deadLetters: number;

  constructor(machine: string, reaction: string, inTheWay: InTheWay) {
    const { living, pending, deadLetters } = inTheWay;
    const why = living > 0 ? livingText(living) : unfinishedText(inTheWay);
    super("INUSE", `reaction ${reaction} of ${machine} was not forgotten: ${why}`);
    this.machine = machine;
    this.reaction = reaction;
    this.problem = living > 0 ? "LIVING" : "UNFINISHED";
    this.replicas = living;
    this.pending = pending;
    this.deadLetters = deadLetters;
  }
}

function livingText(living: number): string {
  const what = living === 1 ? "1 replica of it lives; stop it" : `${living} replicas of it live; stop them`;
  return `${what} first (one that was killed counts until takeOverAfter has passed)`;
}

function unfinishedText({ pending, deadLetters }: InTheWay): string {
  const what = [
    ...(pending > 0 ? [countText(pending, "unfinished event")] : []),
    ...(deadLetters > 0 ? [countText(deadLetters, "dead letter")] : []),
  ].join(" and ");
  return `${what} would be thrown away; let a replica handle them, or force it`;
}
