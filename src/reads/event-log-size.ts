import type { Valkey } from "iovalkey";
import { allPartitionKeys, type MachineLocation } from "../valkey/keys.js";

/** The memory that a machine's event log needs when it stops growing. */
export interface EventLogSize {
  /** Average size of the newest documents, in bytes; 0 if the log is empty. */
  readonly documentBytes: number;
  /** Number of events that all partitions keep. */
  readonly keep: number;
  /** Estimated memory of the log when it contains `keep` events, in bytes. */
  readonly fullBytes: number;
}

/** Memory of an entry in relation to its document, measured with documents of 250 bytes to 200 kB. */
const OVERHEAD = 1.2;
/** Number of partitions and of newest documents in each that are read; partitions are alike. */
const SAMPLE = { partitions: 8, documents: 10 };

/**
 * Estimates from the newest documents how large an event log becomes.
 *
 * @param clientOf returns the client of the server that holds a key
 * @param keep events per partition
 */
export async function eventLogSize(
  clientOf: (key: string) => Valkey,
  location: MachineLocation,
  keep: number,
): Promise<EventLogSize> {
  const keys = allPartitionKeys(location).slice(0, SAMPLE.partitions);
  const samples = await Promise.all(
    keys.map(({ events }) => clientOf(events).xrevrange(events, "+", "-", "COUNT", SAMPLE.documents)),
  );
  const sizes = samples.flat().map(([, fields]) => Buffer.byteLength(fields[1] ?? ""));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const documentBytes = sizes.length === 0 ? 0 : Math.round(bytes / sizes.length);
  const total = keep * location.partitions;
  return { documentBytes, keep: total, fullBytes: Math.round(documentBytes * total * OVERHEAD) };
}
