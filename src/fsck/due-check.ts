import type { CompiledState } from "../machine/compiled.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";
import type { Look } from "./look.js";

/** When a timer may run out, in ms. */
interface Span {
  readonly earliest: number;
  readonly latest: number;
}

/**
 * An entity stands among the timers where its state has one, at the time that follows from its entry; nothing else does.
 * Timers are set on entry: what an older version of the machine set may differ from what the present one would.
 */
export function checkDue(look: Look, { keys }: Part, { definition }: Installed): Defect[] {
  const { id, hash, due, nowMs, wrongTypes } = look;
  if (wrongTypes.includes(keys.due) || wrongTypes.includes(look.places.entity)) return [];
  const at = { id, key: keys.due };
  if (hash === undefined) {
    if (due === null) return [];
    return [{ ...at, kind: "due-orphan", message: "there is no such entity", mend: { due: null } }];
  }
  const state = hash.get("state") ?? "";
  const since = hash.get("since") ?? "";
  if (definition === undefined || !Object.hasOwn(definition.states, state) || !/^\d{13}$/.test(since))
    return [];
  const span = spanOf(definition.states[state] ?? { event: "" }, Number(since), nowMs);
  const common = { ...at, isExplicable: definition.version > 1 };
  if (span === undefined) {
    if (due === null) return [];
    return [{ ...common, kind: "due-extra", message: `${state} has no timer`, mend: { due: null } }];
  }
  // The latest, because a timer may not run out before its time.
  const mend = { due: span.latest };
  if (due === null) {
    const message = `${state} has a timer, which should run out at ${iso(span.latest)}`;
    return [{ ...common, kind: "due-missing", message, mend }];
  }
  if (Number(due) >= span.earliest && Number(due) <= span.latest) return [];
  const right = `${span.earliest === span.latest ? "" : "at the latest "}at ${iso(span.latest)}`;
  const message = `the timer runs out at ${iso(Number(due))}, but should ${right}`;
  return [{ ...common, kind: "due-time", message, mend }];
}

/** A timeout and a retention count from entry; a lease from its last renewal, which may be any time since. */
function spanOf({ timeout, lease, retain }: CompiledState, since: number, nowMs: number): Span | undefined {
  const end = timeout === undefined ? Number.POSITIVE_INFINITY : since + timeout.after;
  if (lease !== undefined) {
    const renewed = Math.max(nowMs, since);
    return { earliest: Math.min(end, since + lease.for), latest: Math.min(end, renewed + lease.for) };
  }
  if (timeout !== undefined) return { earliest: end, latest: end };
  return retain === undefined ? undefined : { earliest: since + retain, latest: since + retain };
}

function iso(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
