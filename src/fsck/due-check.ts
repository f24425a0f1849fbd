import { dueAt } from "../contract/due-at.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";
import type { Look } from "./look.js";

/**
 * An entity stands among the timers where its state has one, at the time that follows from its entry and from the last
 * renewal of its lease; nothing else does. What an older version of the machine set may differ from what the present one
 * would: a sweep puts it right in time, but for the end of a longer lease, which stands until it is over.
 */
export function checkDue(look: Look, { keys }: Part, { definition }: Installed): Defect[] {
  const { id, hash, due, wrongTypes } = look;
  if (wrongTypes.includes(keys.due) || wrongTypes.includes(look.places.entity)) return [];
  const at = { id, key: keys.due };
  if (hash === undefined) {
    if (due === null) return [];
    return [{ ...at, kind: "due-orphan", message: "there is no such entity", mend: { due: null } }];
  }
  const state = hash.get("state") ?? "";
  const since = hash.get("since") ?? "";
  const renewed = hash.get("lease:at") ?? "";
  if (definition === undefined || !Object.hasOwn(definition.states, state)) return [];
  if (!/^\d{13}$/.test(since) || !/^(\d{13})?$/.test(renewed)) return []; // that is told of by itself
  const right = dueAt(definition.states[state] ?? { event: "" }, Number(since), Number(renewed));
  const common = { ...at, isExplicable: definition.version > 1 };
  if (right === undefined) {
    if (due === null) return [];
    return [{ ...common, kind: "due-extra", message: `${state} has no timer`, mend: { due: null } }];
  }
  const mend = { due: right };
  if (due === null) {
    const message = `${state} has a timer, which should run out at ${iso(right)}`;
    return [{ ...common, kind: "due-missing", message, mend }];
  }
  if (Number(due) === right) return [];
  const planned = iso(Number(due), due);
  const isKept = common.isExplicable && Number(due) > right && definition.states[state]?.lease !== undefined;
  const message = isKept
    ? `the timer runs out at ${planned}; the present version alone would have it at ${iso(right)}, but a holder may reckon with the later time`
    : `the timer runs out at ${planned}, but should at ${iso(right)}`;
  return [{ ...common, kind: "due-time", message, mend }];
}

/** @param text what to show where it is no time */
function iso(ms: number, text = String(ms)): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : text;
}
