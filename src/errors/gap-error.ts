import { LatchkeyError } from "./latchkey-error.js";

/**
 * The reader fell behind: the log was trimmed past its cursor, so changes may have been missed. Nothing was skipped in
 * silence. List the entities to catch up, and go on from `cursor`: what comes from there may be older than what was
 * listed, which `createdAt` and `version` tell. `code` is `"GAP"`.
 *
 * @example
 * if (!(error instanceof GapError)) throw error;
 * const copy = new Map<string, Snapshot>();
 * for await (const entity of agents.list()) copy.set(entity.id, entity);
 * log = agents.events({ after: error.cursor });
 */
export class GapError extends LatchkeyError {
  override readonly name = "GapError";
  /** Just before the oldest change that the log still holds. */
  readonly cursor: string;

  constructor(machine: string, behind: string, cursor: string) {
    super(
      "GAP",
      `the event log of ${machine} was trimmed past ${behind}; list the entities again and go on after ${cursor}`,
    );
    this.cursor = cursor;
  }
}
