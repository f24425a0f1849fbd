import { LatchkeyError } from "./latchkey-error.js";

/** What stands in the way of forgetting a reaction. */
interface InTheWay {
  readonly living: number;
  readonly pending: number;
  readonly deadLetters: number;
}

/**
 * A reaction was not forgotten, and nothing of it was removed. `code` is `"INUSE"`. `problem` says why: `"LIVING"`,
 * replicas of it live, which nothing overrides; `"UNFINISHED"`, events or dead letters would be thrown away, which
 * `force` does.
 */
export class ReactionInUseError extends LatchkeyError {
  override readonly name = "ReactionInUseError";
  readonly machine: string;
  readonly reaction: string;
  readonly problem: "LIVING" | "UNFINISHED";
  /** How many replicas live. */
  readonly replicas: number;
  /** Events that were given to replicas and are not finished. */
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
  const events = counted(pending, "unfinished event");
  const letters = counted(deadLetters, "dead letter");
  const what = [...events, ...letters].join(" and ");
  return `${what} would be thrown away; let a replica handle them, or force it`;
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}${count === 1 ? "" : "s"}`];
}
