import type { Fault } from "./fault.js";
import { clientKills } from "./kinds/client-killed.js";
import { clientLimits } from "./kinds/client-limits.js";
import { followerFaults } from "./kinds/follower.js";
import { networkLosses } from "./kinds/network-losses.js";
import { networkPartitions } from "./kinds/network-partition.js";
import { scriptCache } from "./kinds/script-cache.js";
import { hostileInput } from "./kinds/script-hostile.js";
import { rightsFaults } from "./kinds/script-rights.js";
import { otherCallers } from "./kinds/script-versions.js";
import { wrongTypeFaults } from "./kinds/script-wrong-type.js";
import { serverFaults } from "./kinds/server-faults.js";
import { timedFaults } from "./kinds/timed-clients.js";

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
