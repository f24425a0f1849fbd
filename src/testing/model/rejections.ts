import type { Reply } from "../../contract/reply.js";
import { isLater } from "../../valkey/stream.js";
import type { ModelCall } from "./call.js";
import { type ModelStore, START } from "./store.js";

/** Makes a reply with the entity as it is. @param further members before its own fields */
export function replyWith(store: ModelStore, outcome: string, id: string, further?: object): Reply {
  return { outcome, text: store.snapshot(id, further), position: null };
}

/** Rejects a call that was made before, that cannot be decided any more, or that comes too late. */
export function repetition(
  store: ModelStore,
  id: string,
  call: ModelCall,
  isImport = false,
): Reply | undefined {
  const { op, seen = START } = call;
  if (op === undefined) return lateness(store, id, call);
  const done = store.entities.get(id)?.log.find((change) => change.op === op);
  if (done !== undefined) return replyWith(store, "REPLAYED", id, { opVersion: done.version });
  const forgot = store.forgotten(id);
  // A new position is greater than SEEN anyway if the clock is.
  const isAhead = !isImport && Number(seen.split("-")[0]) >= store.timeMs && isLater(seen, store.end);
  if (!isLater(forgot, seen) && !isAhead) return lateness(store, id, call);
  const position = isLater(forgot, store.end) ? forgot : store.end;
  return { ...replyWith(store, "FORGOTTEN", id), position };
}

/** Rejects a call that comes too late. */
export function lateness(store: ModelStore, id: string, { notAfter }: ModelCall): Reply | undefined {
  const isLate = notAfter !== undefined && store.timeMs > notAfter;
  return isLate ? replyWith(store, "EXPIRED", id) : undefined;
}

/** Rejects a call for an entity that exists. */
export function existence(store: ModelStore, id: string): Reply | undefined {
  return store.entities.has(id) ? replyWith(store, "EXISTS", id) : undefined;
}

/** Rejects a call whose expectations of the entity do not hold. */
export function conflict(
  store: ModelStore,
  id: string,
  { ifVersion, ifState }: ModelCall,
): Reply | undefined {
  const entity = store.entities.get(id);
  if (entity === undefined) return replyWith(store, "NOTFOUND", id);
  const isExpected =
    (ifVersion ?? entity.version) === entity.version && (ifState ?? entity.state) === entity.state;
  return isExpected ? undefined : replyWith(store, "CONFLICT", id);
}
