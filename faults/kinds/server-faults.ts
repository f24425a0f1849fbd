import type { Fault } from "../fault.js";
import { clockJumps } from "./clock-jump.js";
import { defaultUserOff } from "./disk-default-user.js";
import { fileCut } from "./disk-file-cut.js";
import { disksFull } from "./disk-full.js";
import { failovers } from "./sentinel-failover.js";
import { replicasStopped } from "./sentinel-replicas.js";
import { serverFrozen } from "./server-frozen.js";
import { serverKilledAlways, serverKilledEverysec, serverKilledNo } from "./server-kill.js";
import { outOfMemory, wrongEvictionPolicy } from "./server-memory.js";
import { serverKilledNoAof } from "./server-no-aof.js";
import { powerLosses } from "./server-power.js";
import { busy, loading, readOnlyNode, tooFewReplicas } from "./server-refuses.js";

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
