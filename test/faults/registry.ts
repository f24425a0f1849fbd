import type { Fault } from "./fault.js";
import { clientKills } from "./faults/client-killed.js";
import { networkLosses } from "./faults/network-losses.js";
import { networkPartitions } from "./faults/network-partition.js";
import { scriptCache } from "./faults/script-cache.js";
import { serverFaults } from "./faults/server-faults.js";

/** Every fault that a run may inject, by its number in the list of faults. */
export const faults: readonly Fault[] = [
  ...networkLosses,
  ...networkPartitions,
  ...clientKills,
  ...scriptCache,
  ...serverFaults,
];
