import type { ChangeKind, Entity, LogEntry } from "../facts.js";
import type { Findings } from "../report.js";
import { changeWords, timeWords } from "../words.js";

/** Returns the kind of a change. Its event type shows it. */
export function kindOf({ entity: { machine }, type, from }: LogEntry): ChangeKind {
  if (type === `${machine.name}.removed`) return "remove";
  if (type === `${machine.name}.updated`) return "patch";
  return from === null ? "create" : "transition";
}

/** Returns the change before one, or undefined if the entity did not exist. */
export function previousOf({ events }: Entity, at: number): LogEntry | undefined {
  const previous = events[at - 1];
  return previous === undefined || kindOf(previous) === "remove" ? undefined : previous;
}

/** Largest offset of the last change from the server's clock. Beyond it, the clock has been corrected and counts. */
export const FARTHEST_AHEAD_MS = 60_000;

/**
 * Checks the log alone: contiguous versions, permitted transitions, unique keys, times that do not decrease.
 *
 * @param hasClocks true if a server's clock was set in the run
 */
export function checkLog(entity: Entity, hasClocks: boolean, findings: Findings): void {
  const ops = new Map<string, LogEntry>();
  entity.events.forEach((event, at) => {
    const previous = previousOf(entity, at);
    checkVersion(event, previous, findings);
    checkEdge(event, previous, findings);
    checkTimes(event, previous, hasClocks, findings);
    if (event.op === undefined) return;
    const earlier = ops.get(event.op);
    if (earlier !== undefined) {
      const message = `the idempotency key ${event.op} made both version ${earlier.version} and version ${event.version}`;
      findings.add("ops", entity, message, earlier.line, event.line);
    }
    ops.set(event.op, event);
  });
}

function checkVersion(event: LogEntry, previous: LogEntry | undefined, findings: Findings): void {
  const due = (previous?.version ?? 0) + 1;
  if (event.version === due) return;
  const message = `the log has version ${event.version} instead of ${due}`;
  findings.add("versions", event.entity, message, previous?.line ?? 0, event.line);
}

function checkEdge(event: LogEntry, previous: LogEntry | undefined, findings: Findings): void {
  const { entity, from, state, type, forced } = event;
  const { machine } = entity;
  const wrong = (why: string): void => {
    findings.add("edges", entity, `${changeWords(event)} ${why}`, previous?.line ?? 0, event.line);
  };
  if (from !== (previous?.state ?? null)) {
    wrong(`comes from ${from ?? "nothing"}, but the entity was ${previous?.state ?? "absent"}`);
    return;
  }
  const kind = kindOf(event);
  if (previous === undefined) {
    if (kind !== "create") wrong("changes an entity that does not exist");
    else if (state !== machine.initial) wrong(`is a create that does not enter ${machine.initial}`);
  } else if (kind === "patch" || kind === "remove") {
    if (state !== previous.state) wrong(`is a ${kind} that changes the state from ${previous.state}`);
  } else if (!forced && !machine.leads(previous.state, state)) {
    wrong(`is not a transition of the machine from ${previous.state}`);
  }
  if (kind !== "patch" && kind !== "remove" && type !== machine.eventOf(state)) {
    wrong(`is named ${type}, not ${machine.eventOf(state)}`);
  }
}

function checkTimes(
  event: LogEntry,
  previous: LogEntry | undefined,
  hasClocks: boolean,
  findings: Findings,
): void {
  const { entity, timestamp, since, created } = event;
  const wrong = (why: string): void => {
    findings.add("stamps", entity, `${changeWords(event)} ${why}`, previous?.line ?? 0, event.line);
  };
  const isCorrected =
    previous !== undefined && hasClocks && previous.timestamp - timestamp > FARTHEST_AHEAD_MS;
  if (previous !== undefined && timestamp < previous.timestamp && !isCorrected) {
    wrong(
      `happened at ${timeWords(timestamp)}, before version ${previous.version} (${timeWords(previous.timestamp)})`,
    );
  }
  const kind = kindOf(event);
  const stays = kind === "patch" || kind === "remove";
  // An entry that is dated ahead is corrected too.
  const entered = stays ? Math.min(previous?.since ?? timestamp, timestamp) : timestamp;
  if (since !== entered) wrong(`is in its state since ${timeWords(since)}, not ${timeWords(entered)}`);
  const made = previous?.created ?? timestamp;
  if (created !== made) wrong(`was created ${timeWords(created)}, not ${timeWords(made)}`);
}
