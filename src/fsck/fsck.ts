import type { Valkey } from "iovalkey";
import { ContractError } from "../errors/latchkey-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { ask, askOnce } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { replyCode } from "../valkey/failure.js";
import { pause, performance } from "../valkey/real-time.js";
import { readRole } from "../valkey/role.js";
import { checkPartition, type PartitionCounts } from "./check-partition.js";
import { type Finding, manual } from "./finding.js";
import { checkStoredMachine } from "./machine-check.js";
import { checkNamespace } from "./namespace-check.js";
import { type Partition, partitionAt } from "./partition.js";

/** Options of {@link fsck}. */
export interface FsckOptions {
  /** Repairs what follows from the entities and the event log. @default false */
  readonly repair?: boolean;
  /** Also scans all keys of the server, for entities that neither the index nor the event log names. @default false */
  readonly deep?: boolean;
  /** Reports as damage what an older version of the machine may explain. @default false */
  readonly strict?: boolean;
  /** Stops between two steps when aborted; the iteration then throws. */
  readonly signal?: AbortSignal;
  /** Called with the progress after each step. */
  readonly onProgress?: (progress: FsckProgress) => void;
}

/** Reports how far a check is. The counts are those of the current partition. */
export interface FsckProgress extends PartitionCounts {
  /** The current partition, from 0. */
  readonly partition: number;
  readonly partitions: number;
}

/** Counts what was checked in all partitions. */
export interface FsckSummary extends PartitionCounts {
  readonly partitions: number;
}

/** The longest rest between two steps, in ms. */
const LONGEST_REST_MS = 100;

/**
 * Checks a machine's index, timers and logs against its entities and its event log, in small steps, while clients
 * change them. Yields findings as it goes and returns what it checked.
 *
 * Each entity is read at one moment, and a defect is reported only if a second reading confirms it. With `repair` an
 * entity is repaired at once, unless it has changed since then. A check that the server or the user does not allow is
 * reported as `unchecked`.
 *
 * @throws ContractError NOMACHINE if no partition has the machine
 * @throws NotExecutedError if the server cannot be reached, or if it is a replica and `repair` is set
 * @example for await (const finding of fsck(connection, "latchkey", "agent")) console.log(finding.message);
 */
export async function* fsck(
  connection: Connection,
  namespace: string,
  machine: string,
  options: FsckOptions = {},
): AsyncGenerator<Finding, FsckSummary> {
  const question = `fsck ${machine}`;
  const { repair = false, strict = false } = options;
  const replica = (await ask(connection, question, readRole)) === "replica";
  if (repair && replica) {
    const message = `${question} cannot repair here: the server is a replica; connect to its primary`;
    throw new NotExecutedError(message, "READONLY");
  }
  const { location, defects } = await ask(connection, question, (client) =>
    checkNamespace(client, namespace, machine),
  );
  const { partitions: count } = location;
  const partitions = Array.from({ length: count }, (_, number) => partitionAt(location, number));
  const check = await ask(connection, question, (client) => checkStoredMachine(client, partitions, replica));
  if (check === undefined) {
    const message = `no machine "${machine}" is installed in namespace "${namespace}"; apply it first`;
    throw new ContractError("NOMACHINE", message);
  }
  for (const defect of defects) yield manual(0, defect);
  yield* check.findings;
  const [origin = partitionAt(location, 0)] = partitions;
  if (check.obstacle !== undefined) {
    const message = `the installed machine was not compared with its definition: ${check.obstacle}`;
    yield unchecked(origin, message, "run fsck as a writer, on the primary");
  }
  const deep = options.deep === true && (await ask(connection, question, mayScan));
  if (options.deep === true && !deep) {
    const message = "the keys of the server were not scanned: permission denied (NOPERM)";
    yield unchecked(origin, message, "grant it with ACL SETUSER <user> +scan, or leave out --deep");
  }
  const total = { partitions: count, entities: 0, events: 0 };
  for (const partition of partitions) {
    let startedAt = performance.now();
    const rest = async (counts: PartitionCounts): Promise<void> => {
      options.signal?.throwIfAborted();
      options.onProgress?.({ ...counts, partition: partition.number, partitions: count });
      // As long as the step took, so the server is idle for half of the time.
      await pause(Math.min(performance.now() - startedAt, LONGEST_REST_MS));
      startedAt = performance.now();
    };
    const installed = check.installed[partition.number] ?? check.first;
    const settings = { repair, deep, strict, rest };
    const steps = checkPartition(connection.client, partition, installed, settings);
    for (;;) {
      const step = await askOnce(connection, question, () => steps.next());
      if (step.done === true) {
        total.entities += step.value.entities;
        total.events += step.value.events;
        break;
      }
      yield step.value;
    }
  }
  return total;
}

/** Reports a check that was not possible. */
function unchecked(partition: Partition, message: string, why: string): Finding {
  const { number, keys } = partition;
  const result = "unchecked";
  return { kind: result, id: "", partition: number, key: keys.machine, message, result, why };
}

/** Returns true if the user may scan the keys of the server. */
async function mayScan(client: Valkey): Promise<boolean> {
  try {
    await client.scan("0", "COUNT", 1);
    return true;
  } catch (error) {
    if (replyCode(error) === "NOPERM") return false;
    throw error;
  }
}
