import type { ChangeKind, Entity, Logged } from "../facts.js";
import type { Findings } from "../report.js";
import { changeWords, timeWords } from "../words.js";

/** What an event of this machine tells of: its type says so. */
export function kindOf({ entity: { machine }, type, from }: Logged): ChangeKind {
  if (type === `${machine.name}.removed`) return "remove";
  if (type === `${machine.name}.updated`) return "patch";
  return from === null ? "create" : "transition";
}

/** The change that left the entity as it was before the change at this place of its log; undefined for no entity. */
export function priorOf({ events }: Entity, at: number): Logged | undefined {
  const prior = events[at - 1];
  return prior === undefined || kindOf(prior) === "remove" ? undefined : prior;
}

/** The log by itself: contiguous versions, legal edges, each op once, times that never run backwards. */
export function checkLog(entity: Entity, findings: Findings): void {
  const ops = new Map<string, Logged>();
  entity.events.forEach((event, at) => {
    const prior = priorOf(entity, at);
    checkVersion(event, prior, findings);
    checkEdge(event, prior, findings);
    checkTimes(event, prior, findings);
    if (event.op === undefined) return;
    const earlier = ops.get(event.op);
    if (earlier !== undefined) {
      const message = `the op ${event.op} made both version ${earlier.version} and version ${event.version}`;
      findings.add("ops", entity, message, earlier.line, event.line);
    }
    ops.set(event.op, event);
  });
}

function checkVersion(event: Logged, prior: Logged | undefined, findings: Findings): void {
  const due = (prior?.version ?? 0) + 1;
  if (event.version === due) return;
  const message = `the log has version ${event.version} where ${due} is due`;
  findings.add("versions", event.entity, message, prior?.line ?? 0, event.line);
}

function checkEdge(event: Logged, prior: Logged | undefined, findings: Findings): void {
  const { entity, from, state, type, forced } = event;
  const { machine } = entity;
  const wrong = (why: string): void => {
    findings.add("edges", entity, `${changeWords(event)} ${why}`, prior?.line ?? 0, event.line);
  };
  if (from !== (prior?.state ?? null)) {
    wrong(`comes from ${from ?? "nothing"}, where the entity was ${prior?.state ?? "not there"}`);
    return;
  }
  const kind = kindOf(event);
  if (prior === undefined) {
    if (kind !== "create") wrong("changes an entity that is not there");
    else if (state !== machine.initial) wrong(`is a create that does not enter ${machine.initial}`);
  } else if (kind === "patch" || kind === "remove") {
    if (state !== prior.state) wrong(`is a ${kind} that changes the state from ${prior.state}`);
  } else if (!forced && !machine.leads(prior.state, state)) {
    wrong(`is no transition that the machine has from ${prior.state}`);
  }
  if (kind !== "patch" && kind !== "remove" && type !== machine.eventOf(state)) {
    wrong(`is named ${type}, not ${machine.eventOf(state)}`);
  }
}

function checkTimes(event: Logged, prior: Logged | undefined, findings: Findings): void {
  const { entity, timestamp, since, created } = event;
  const wrong = (why: string): void => {
    findings.add("stamps", entity, `${changeWords(event)} ${why}`, prior?.line ?? 0, event.line);
  };
  if (prior !== undefined && timestamp < prior.timestamp) {
    wrong(
      `was made ${timeWords(timestamp)}, before version ${prior.version} (${timeWords(prior.timestamp)})`,
    );
  }
  const kind = kindOf(event);
  const entered = kind === "patch" || kind === "remove" ? (prior?.since ?? timestamp) : timestamp;
  if (since !== entered) wrong(`is in its state since ${timeWords(since)}, not ${timeWords(entered)}`);
  const made = prior?.created ?? timestamp;
  if (created !== made) wrong(`was created ${timeWords(created)}, not ${timeWords(made)}`);
}
