import { partitionOf } from "../valkey/partition.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredEntity } from "./stored-entity.js";
import type { StoredMachine } from "./stored-machine.js";

/** Checks that an entity is in a state of the machine, in the partition of its id, under keys of the right types. */
export function checkStoredState(
  entity: StoredEntity,
  { location, number }: Partition,
  { rows }: StoredMachine,
): Defect[] {
  const { id, keys, hash, wrongTypes } = entity;
  // Keys that all entities share are checked once per partition.
  const own = wrongTypes.filter((key) => key === keys.entity || key === keys.log);
  const message = "the key has the wrong type: not written by latchkey";
  const why = "read its contents, then rename or delete it";
  const defects: Defect[] = own.map((key) => ({ kind: "key-type", id, key, message, why }));
  if (hash === undefined) return defects;
  const state = hash.get("state");
  // A state that was removed from the machine keeps a row until its last entity has left.
  if (state !== undefined && !rows.has(`=${state}`)) {
    const message = `the machine has no state ${JSON.stringify(state.slice(0, 40))}`;
    const why = "apply a machine that has this state, or one that maps it to another";
    defects.push({ kind: "state-unknown", id, key: keys.entity, message, why });
  }
  const home = partitionOf(id, location.partitions);
  if (home !== number) {
    const message = `its id belongs to partition ${home}, so no client finds it here`;
    const why = "some client computes partitions incorrectly; create the entity again with a correct one";
    defects.push({ kind: "misplaced", id, key: keys.entity, message, why });
  }
  return defects;
}
