/**
 * The reader fell behind: the log was trimmed past its cursor, so changes may have been missed. Nothing was skipped in
 * silence. List the entities to catch up, and go on from `cursor`. `code` is `"GAP"`.
 */
export class GapError extends Error {
  override readonly name = "GapError";
  readonly code = "GAP";
  /** Just before the oldest change that the log still holds. */
  readonly cursor: string;

  constructor(machine: string, behind: string, cursor: string) {
    super(
      `the event log of ${machine} was trimmed past ${behind}; list the entities again and go on after ${cursor}`,
    );
    this.cursor = cursor;
  }
}
