import type { Fault } from "./fault.js";
import { clientKills } from "./faults/client-killed.js";
import { clientLimits } from "./faults/client-limits.js";
import { followerFaults } from "./faults/follower.js";
import { networkLosses } from "./faults/network-losses.js";
import { networkPartitions } from "./faults/network-partition.js";
import { scriptCache } from "./faults/script-cache.js";
import { hostileInput } from "./faults/script-hostile.js";
import { rightsFaults } from "./faults/script-rights.js";
import { otherCallers } from "./faults/script-versions.js";
import { wrongTypeFaults } from "./faults/script-wrong-type.js";
import { serverFaults } from "./faults/server-faults.js";
import { timedFaults } from "./faults/timed-clients.js";

/** Every fault that a run may inject, by its number in the list of faults. */
export const faults: readonly Fault[] = [
  ...networkLosses,
  ...networkPartitions,
  ...clientKills,
  ...scriptCache,
  ...wrongTypeFaults,
  ...rightsFaults,
  ...hostileInput,
  ...otherCallers,
  ...followerFaults,
  ...clientLimits,
  ...serverFaults,
  ...timedFaults,
];
