import { LatchkeyError } from "./latchkey-error.js";

/**
 * Changes after the reader's cursor were trimmed from the event log, or the log lost what the reader had read. List the
 * entities, then continue from `cursor`. Changes from there may be older than the listed entities: compare `createdAt` and
 * `version`. `code` is `"GAP"`.
 *
 * @example
 * if (!(error instanceof GapError)) throw error;
 * const copy = new Map<string, Snapshot>();
 * for await (const entity of agents.list()) copy.set(entity.id, entity);
 * log = agents.events({ after: error.cursor });
 */
export class GapError extends LatchkeyError {
  override readonly name = "GapError";
  /**
   * `"trimmed"`: the log no longer keeps changes after the reader's cursor. `"lost"`: the log does not contain the change
   * before the cursor, for example after a failover that lost the newest changes, or because the cursor is of another log.
   */
  readonly reason: "trimmed" | "lost";
  /** Position before the oldest change that is left in the log. */
  readonly cursor: string;

  constructor(machine: string, behind: string, cursor: string, reason: GapError["reason"] = "trimmed") {
    const problem =
      reason === "trimmed"
        ? `the event log of ${machine} was trimmed after ${behind}`
        : `the event log of ${machine} does not contain ${behind}: changes were lost, or the cursor is of another log`;
    super("GAP", `${problem}; list the entities again, then continue after ${cursor}`);
    this.reason = reason;
    this.cursor = cursor;
  }
}
