import type { Change, Snapshot } from "../../contract/document.js";

/** The change by which an entity entered its present state, where its history still holds it. */
export function entryInto(current: Snapshot, changes: readonly Change[]): Change | undefined {
  const entries = changes.filter(
    ({ state, since, timestamp }) =>
      state === current.state && since === current.since && timestamp === current.since,
  );
  return entries.findLast(({ from, state }) => from !== state) ?? entries[0];
}

/** Who made a change and why, in words. */
export function byWhom({ from, actor, reason, forced }: Change): string {
  const parts = [
    from === null ? "created" : `from ${from}`,
    ...(actor === undefined ? [] : [`by ${actor}`]),
    ...(reason === undefined ? [] : [`(${reason})`]),
    ...(forced === true ? ["with --force"] : []),
  ];
  return parts.join(" ");
}
