import type { Valkey } from "iovalkey";
import { ContractError } from "../errors/latchkey-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { ask, runQuestion } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { replyCode } from "../valkey/failure.js";
import { pause, performance } from "../valkey/real-time.js";
import { readRole } from "../valkey/role.js";
import { checkPartition, type PartitionCounts, type PartitionOptions } from "./check-partition.js";
import { type Finding, manual } from "./finding.js";
import { checkStoredMachine } from "./machine-check.js";
import { checkNamespace } from "./namespace-check.js";
import { type Partition, partitionAt } from "./partition.js";
import { PartitionServers, skippedPartition, unchecked } from "./partition-servers.js";
import { checkMayRepair } from "./repair.js";
import type { StoredMachine } from "./stored-machine.js";

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
  /** Partitions that were checked. */
  readonly partitions: number;
  /** Partitions that were not checked, because their slots were moving or their servers were unreachable. */
  readonly skipped: number;
}

/** The longest rest between two steps, in ms. */
const LONGEST_REST_MS = 100;

/**
 * Checks a machine's index, timers and logs against its entities and its event log, in small steps, while clients
 * change them. Yields findings as it goes and returns what it checked.
 *
 * Each entity is read at one moment, and a defect is reported only if a second reading confirms it. With `repair` an
 * entity is repaired at once, unless it has changed since then. A check that the server or the user does not allow is
 * reported as `unchecked`. So is a partition of a cluster whose slot is moving to another node, or whose server is unreachable,
 * for longer than the timeout of a call.
 *
 * @throws ContractError NOMACHINE if no partition has the machine
 * @throws NotExecutedError if the server cannot be reached, in a cluster the one with the facts of the namespace; if `repair` is
 * set, also if it is a replica, or the user may not repair
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
  const servers = new PartitionServers(connection, question);
  const { location, defects } = await checkNamespace(servers, namespace, machine);
  const { partitions: count } = location;
  const partitions = Array.from({ length: count }, (_, number) => partitionAt(location, number));
  if (repair) await checkMayRepair(connection, servers, partitions);
  const check = await checkStoredMachine(servers, partitions, replica);
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
  const total = { partitions: 0, skipped: 0, entities: 0, events: 0 };
  for (const partition of partitions) {
    const obstacle = check.skipped.get(partition.number);
    if (obstacle !== undefined) {
      yield skippedPartition(partition, obstacle);
      total.skipped += 1;
      continue;
    }
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
    const counts = yield* checkWherever(connection, servers, partition, installed, settings);
    if (counts === undefined) {
      total.skipped += 1;
      continue;
    }
    total.partitions += 1;
    total.entities += counts.entities;
    total.events += counts.events;
  }
  return total;
}

/**
 * Checks a partition at the server that holds it. Starts again if its slot moves to another server meanwhile, or its server is
 * lost, for at most the timeout of a call.
 *
 * @returns undefined if the partition was not checked
 */
async function* checkWherever(
  connection: Connection,
  servers: PartitionServers,
  partition: Partition,
  machine: StoredMachine,
  options: PartitionOptions,
): AsyncGenerator<Finding, PartitionCounts | undefined> {
  const question = `fsck ${partition.location.machine}`;
  const key = partition.keys.machine;
  const server = connection.of(key);
  const known = new Set<string>();
  let deadline: Deadline | undefined;
  for (;;) {
    try {
      await servers.ask(key, readRole); // waits until it is connected
      const steps = checkPartition(server.client, partition, machine, options);
      for (;;) {
        const step = await runQuestion(server, question, () => steps.next());
        if (step.done === true) return step.value;
        const text = JSON.stringify(step.value);
        if (!known.has(text)) yield step.value;
        known.add(text);
      }
    } catch (error) {
      if (!servers.isOfPartition(error)) throw error;
      deadline ??= Deadline.in(connection.timeoutMs);
      if (deadline.isOver || servers.isLost(key)) {
        yield skippedPartition(partition, error);
        return undefined;
      }
      await pause(LONGEST_REST_MS);
    }
  }
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
