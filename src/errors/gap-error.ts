import { LatchkeyError } from "./latchkey-error.js";

/**
 * Changes after the reader's cursor were trimmed from the event log. List the entities, then continue from
 * `cursor`. Changes from there may be older than the listed entities: compare `createdAt` and `version`. `code` is
 * `"GAP"`.
 *
 * @example
 * if (!(error instanceof GapError)) throw error;
 * const copy = new Map<string, Snapshot>();
 * for await (const entity of agents.list()) copy.set(entity.id, entity);
 * log = agents.events({ after: error.cursor });
 */
export class GapError extends LatchkeyError {
  override readonly name = "GapError";
  /** Position before the oldest change that is left in the log. */
  readonly cursor: string;

  constructor(machine: string, behind: string, cursor: string) {
    super(
      "GAP",
      `the event log of ${machine} was trimmed after ${behind}; list the entities again, then continue after ${cursor}`,
    );
    this.cursor = cursor;
  }
}
