import type { Fault } from "../fault.js";
import { followerFaults } from "./clients/followers.js";
import { clientKills } from "./clients/killed.js";
import { clientLimits } from "./clients/limits.js";
import { timedFaults } from "./clients/timed.js";
import { defaultUserOff } from "./disk/default-user.js";
import { fileCut } from "./disk/file-cut.js";
import { disksFull } from "./disk/full.js";
import { networkLosses } from "./network/losses.js";
import { networkPartitions } from "./network/partition.js";
import { scriptCache } from "./scripts/cache.js";
import { hostileInput } from "./scripts/hostile-input.js";
import { otherCallers } from "./scripts/other-callers.js";
import { rightsFaults } from "./scripts/permissions.js";
import { wrongTypeFaults } from "./scripts/wrong-type.js";
import { failovers } from "./sentinel/failover.js";
import { replicasStopped } from "./sentinel/replicas.js";
import { clockJumps } from "./servers/clock.js";
import { serverFrozen } from "./servers/freeze.js";
import { serverKilledAlways, serverKilledEverysec, serverKilledNo } from "./servers/kill.js";
import { outOfMemory, wrongEvictionPolicy } from "./servers/memory.js";
import { serverKilledNoAof } from "./servers/no-aof.js";
import { powerLosses } from "./servers/power.js";
import { busy, loading, readOnlyNode, tooFewReplicas } from "./servers/unavailable.js";

/** The faults that act on servers. */
export const serverFaults: readonly Fault[] = [
  serverKilledAlways,
  serverKilledEverysec,
  serverKilledNo,
  serverKilledNoAof,
  ...powerLosses,
  serverFrozen,
  clockJumps,
  outOfMemory,
  wrongEvictionPolicy,
  tooFewReplicas,
  readOnlyNode,
  loading,
  busy,
  fileCut,
  defaultUserOff,
  ...disksFull,
  ...failovers,
  replicasStopped,
];

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
