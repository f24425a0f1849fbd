import type { Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, machine, op } from "./calls.js";
import { parcel } from "./parcel.js";

/** A call of each operation that is accepted in {@link standing}, with every command that the operation may write with. */
export const everyCall: Record<Operation, readonly Argument[]> = {
  create: ["new", "SET", "n", "1", ...op("o9")],
  transition: ["p1", "packed", "SET", "n", "2", "UNSET", "m", ...op("o9")],
  patch: ["p1", "SET", "n", "2", "UNSET", "m", ...op("o9")],
  heartbeat: ["leased"],
  expire: ["p1"],
  remove: ["p1", ...op("o9")],
  restore: ["new", "packed", "7", "1000", "1000000000000", "SET", "n", "1", ...op("o9")],
  get: ["p1"],
  apply: [JSON.stringify({ ...parcel, version: 2 })],
};

export const everyOperation = Object.keys(everyCall) as Operation[];

/** Makes p1, with a log that the next change trims, an expired timer, own fields and keys; and an entity with a lease. */
export async function standing(): Promise<Calls> {
  const location = await machine(parcel);
  await location.ok("create", "p1", "SET", "m", "1", ...op("o1"));
  for (let n = 0; n < 37; n++) await location.ok("patch", "p1", "SET", "n", n);
  await location.ok("transition", "p1", "sent", ...op("o2", await location.end()));
  await location.valkey.hset(location.key("id:p1"), "times:ms", "1000 1000 0");
  await location.ok("create", "leased");
  await location.ok("transition", "leased", "held", "FORCE", "REASON", "to hold it");
  return location;
}

/** Returns the keys of such a call. */
export function keysOf(location: Calls, operation: Operation): string[] {
  return operation === "apply" ? location.applyKeys() : location.keys(String(everyCall[operation][0]));
}
