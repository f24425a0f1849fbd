import type { Valkey } from "iovalkey";
import { differenceFrom, readChange } from "./change-text.js";
import type { Part } from "./entity-places.js";
import type { EventWalk } from "./event-walk.js";
import type { Installed } from "./installed.js";
import { ownNames } from "./log-check.js";
import type { Look } from "./look.js";

/**
 * What a log that is gone had held, oldest first, from the event log: the same texts stand there. Undefined where the
 * event log does not hold all that belongs there, up to the change that made the entity what it is.
 */
export async function rebuiltLog(
  client: Valkey,
  { location, keys }: Part,
  { id, hash }: Look,
  { definition }: Installed,
  events: EventWalk,
): Promise<readonly string[] | undefined> {
  const last = events.last(id);
  if (hash === undefined || definition === undefined || last === undefined || last.isRemoval)
    return undefined;
  const version = Number(hash.get("version"));
  const length = Math.min(version, definition.history);
  const entries = events.run(id).slice(-length);
  if (last.version !== version || !(length > 0) || entries.length < length) return undefined;
  const found = await Promise.all(entries.map((entry) => client.xrange(keys.events, entry, entry)));
  const texts = found.flatMap(([entry]) => entry?.[1][1] ?? []); // trimmed away meanwhile: one less
  const changes = texts.map((text) => readChange(location.machine, text));
  const first = version - length + 1;
  const isWhole =
    changes.length === length &&
    changes.every((change, at) => change?.id === id && change.version === first + at);
  const newest = changes.at(-1);
  if (!isWhole || newest === undefined) return undefined;
  return differenceFrom(newest, hash, ownNames(hash)) === undefined ? texts : undefined;
}
