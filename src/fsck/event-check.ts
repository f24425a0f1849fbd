import { digestOf, readChange } from "./change-text.js";
import type { Part } from "./entity-places.js";
import type { LastEvent } from "./event-walk.js";
import type { Defect } from "./finding.js";
import type { Look } from "./look.js";

/** What the event log said of an entity, read up to before a look at it and again up to after it. */
export interface Told {
  readonly before: LastEvent | undefined;
  readonly after: LastEvent | undefined;
  readonly isWhole: boolean;
  readonly oldestMs: number | undefined;
}

const WHY = "neither the entity nor what was logged is ever rewritten; look at what the server lost";

/**
 * The event log ends with what the entity is. A look stands between two readings of the log: what it shows must have
 * been logged by the second, and must not be older than the first.
 */
export function checkEvents(look: Look, part: Part, told: Told): Defect[] {
  const { id, hash, places, wrongTypes } = look;
  if (wrongTypes.includes(places.entity)) return [];
  const at = { id, key: part.keys.events, why: WHY };
  if (hash === undefined) return [...checkAbsent(look, part, told), ...checkOrphan(look, told)];
  const version = Number(hash.get("version"));
  const state = hash.get("state");
  const { before, after } = told;
  if (!Number.isSafeInteger(version)) return [];
  if (after === undefined) {
    // Every change is logged at its time or later, so what is younger than the oldest entry must be there.
    const isKept = told.isWhole || (told.oldestMs !== undefined && Number(hash.get("at")) > told.oldestMs);
    if (!isKept) return [];
    return [{ ...at, kind: "event-lost", message: `it lacks version ${version}, and all before it` }];
  }
  if (before === undefined || before.life !== after.life) return []; // a new life began meanwhile
  if (before.isRemoval) {
    return after === before
      ? [{ ...at, kind: "event-lost", message: `it ends with the removal, but the entity is there` }]
      : [];
  }
  if (version > after.version) {
    return [
      {
        ...at,
        kind: "event-lost",
        message: `it ends with version ${after.version}, the entity has ${version}`,
      },
    ];
  }
  if (version < before.version) {
    return [
      {
        ...at,
        kind: "event-extra",
        message: `it has version ${before.version}, the entity only ${version}`,
      },
    ];
  }
  if (before.entry !== after.entry) return []; // it moved meanwhile
  if (state !== after.state) {
    const message = `version ${version} is ${after.state} there, the entity is ${state}`;
    return [{ ...at, kind: "event-differs", message }];
  }
  const last = readChange(part.location.machine, look.newest.at(-1) ?? "");
  if (last === undefined || last.version !== version || digestOf(last.text) === after.digest) return [];
  const message = `version ${version} has another text there than in the entity's log`;
  return [{ ...at, kind: "event-differs", message }];
}

function checkAbsent({ id, places }: Look, part: Part, { before, after }: Told): Defect[] {
  if (before === undefined || before.isRemoval || after?.entry !== before.entry) return [];
  const message = `version ${before.version} (${before.state}) is the last of ${part.keys.events}, but the entity is not there`;
  const why = "it is not created again here; restore it from a backup, or create it anew";
  return [{ id, key: places.entity, kind: "entity-lost", message, why }];
}

/** A log may go only where its entity is known to have been removed, or never to have been: else it is the last trace. */
function checkOrphan({ id, places, logLength, wrongTypes }: Look, { after, isWhole }: Told): Defect[] {
  if (logLength === 0 || wrongTypes.includes(places.log)) return [];
  const at = { id, key: places.log, kind: "log-orphan" } as const;
  const message = "there is no such entity";
  if (after === undefined ? isWhole : after.isRemoval) return [{ ...at, message, mend: { log: null } }];
  const why = "the event log does not tell that it was removed, so this may be the last trace of it";
  return [{ ...at, message, why }];
}
