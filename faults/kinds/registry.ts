import type { Fault } from "../fault.js";
import { followerFaults } from "./clients/followers.js";
import { clientKills } from "./clients/killed.js";
import { clientLimits } from "./clients/limits.js";
import { timedFaults } from "./clients/timed.js";
import { clusterFailovers } from "./cluster/failover.js";
import { slotMigrations } from "./cluster/migration.js";
import { clusterNodes } from "./cluster/nodes.js";
import { defaultUserOff } from "./disk/default-user.js";
import { fileCut } from "./disk/file-cut.js";
import { disksFull } from "./disk/full.js";
import { networkLosses } from "./network/losses.js";
import { networkPartitions } from "./network/partition.js";
import { resendingFaults } from "./network/resending.js";
import { scriptCache } from "./scripts/cache.js";
import { hostileInput } from "./scripts/hostile-input.js";
import { otherCallers } from "./scripts/other-callers.js";
import { permissionFaults } from "./scripts/permissions.js";
import { wrongTypeFaults } from "./scripts/wrong-type.js";
import { failovers } from "./sentinel/failover.js";
import { replicasStopped } from "./sentinel/replicas.js";
import { clockFaults } from "./servers/clock.js";
import { serverFrozen } from "./servers/freeze.js";
import { serverKills } from "./servers/kill.js";
import { memoryFaults } from "./servers/memory.js";
import { powerFailures } from "./servers/power.js";
import { unavailableServers } from "./servers/unavailable.js";

/** Lists every fault that a run may inject. The order is part of what a seed repeats. */
export const faults: readonly Fault[] = [
  ...networkLosses,
  ...networkPartitions,
  ...resendingFaults,
  ...clientKills,
  ...scriptCache,
  ...wrongTypeFaults,
  ...permissionFaults,
  ...hostileInput,
  ...otherCallers,
  ...followerFaults,
  ...clientLimits,
  ...serverKills,
  ...powerFailures,
  serverFrozen,
  ...clockFaults,
  ...memoryFaults,
  ...unavailableServers,
  fileCut,
  defaultUserOff,
  ...disksFull,
  ...failovers,
  replicasStopped,
  ...clusterFailovers,
  ...slotMigrations,
  ...clusterNodes,
  ...timedFaults,
];
