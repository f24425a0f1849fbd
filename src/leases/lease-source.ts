import { history } from "../reads/history.js";
import type { Logger } from "../valkey/logger.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { type HeartbeatOptions, type HeartbeatResult, heartbeat } from "./heartbeat.js";
import { type LeaseLength, readLeaseLength } from "./lease-length.js";

/** The machine whose leases a hold renews. */
export interface LeaseSource<S extends string = string> {
  readonly machine: string;
  readonly logger: Logger;
  /** Default time limit of a call, in ms. */
  readonly timeoutMs: number;
  /** Adds work that is done before latchkey closes. @returns a function that removes it */
  beforeClose(work: () => Promise<void>): () => void;
  heartbeat(id: string, options: HeartbeatOptions): Promise<HeartbeatResult<S>>;
  /** Reads the length of a lease. @param known the length that was read before; returned if the version is unchanged */
  leaseLength(id: string, state: string, known?: LeaseLength, timeoutMs?: number): Promise<LeaseLength>;
  history(id: string): ReturnType<typeof history<S>>;
}

/** Makes the source that asks a server. */
export function serverLeases<S extends string>(store: MachineStore): LeaseSource<S> {
  const { connection, location } = store;
  return {
    machine: location.machine,
    logger: connection.logger,
    timeoutMs: connection.timeoutMs,
    beforeClose: (work) => connection.beforeClose(work),
    heartbeat: (id, options) => heartbeat<S>(store, id, options),
    leaseLength: (...args) => readLeaseLength(store, ...args),
    history: (id) => history<S>(store, id),
  };
}
