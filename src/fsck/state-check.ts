import { partitionOf } from "../valkey/partition.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";
import type { Look } from "./look.js";

/** The entity must be in a state of the machine, in the partition that its id leads to, under keys of the right types. */
export function checkState(look: Look, part: Part, installed: Installed): Defect[] {
  const { id, places, hash, wrongTypes } = look;
  // Those that all entities share are told of once.
  const own = wrongTypes.filter((key) => key === places.entity || key === places.log);
  const defects: Defect[] = own.map((key) => ({
    kind: "key-type",
    id,
    key,
    message: "something other than latchkey wrote this key",
    why: "look at what it holds, then rename or delete it",
  }));
  if (hash === undefined) return defects;
  const state = hash.get("state");
  // A state that was dropped keeps a row until its last entity has left.
  if (state !== undefined && !installed.rows.has(`=${state}`)) {
    const message = `the machine has no state ${JSON.stringify(state.slice(0, 40))}`;
    const why = "apply a machine that has this state, or one that maps it to another";
    defects.push({ kind: "state-unknown", id, key: places.entity, message, why });
  }
  const home = partitionOf(id, part.location.partitions);
  if (home !== part.partition) {
    const message = `its id leads to partition ${home}, so no client finds it here`;
    const why = "some caller computes partitions wrongly; create it again through a right one";
    defects.push({ kind: "misplaced", id, key: places.entity, message, why });
  }
  return defects;
}
