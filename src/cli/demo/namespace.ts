import { randomBytes } from "node:crypto";
import type { Connection } from "../../valkey/connection.js";
import { allPartitionKeys, entityKey, logKey, type MachineLocation, metaKey } from "../../valkey/keys.js";

/** A namespace that nobody else uses. */
export function freshNamespace(): string {
  return `demo-${randomBytes(6).toString("hex")}`;
}

const BATCH = 500;

/** Removes what the demo made: these very keys, found by no pattern, so that nobody else's can be among them. */
export async function removeKeys(
  connection: Connection,
  place: MachineLocation,
  ids: readonly string[],
): Promise<void> {
  const keys = [
    ...ids.flatMap((id) => [entityKey(place, id), logKey(place, id)]),
    ...allPartitionKeys(place).flatMap((partition) => Object.values({ ...partition })),
    metaKey(place.namespace),
  ];
  for (let at = 0; at < keys.length; at += BATCH)
    await connection.client.unlink(...keys.slice(at, at + BATCH));
}
