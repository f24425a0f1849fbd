import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { ContractError } from "../errors/latchkey-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { ask, askOnce } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { checkApplied } from "./applied-check.js";
import { asLeft, checkPartition } from "./check-partition.js";
import { type Part, partOf } from "./entity-places.js";
import { checkFacts } from "./facts-check.js";
import type { Finding } from "./finding.js";
import { type Installed, readInstalled } from "./installed.js";
import { checkAlike, checkRows } from "./machine-check.js";
import { isReplica, mayScan } from "./means.js";

/** What to check, and how. */
export interface FsckOptions {
  /** Mends what follows from the entities. @default false */
  readonly repair?: boolean;
  /** Also walks over all keys of the server, for entities that neither index nor event log tells of. @default false */
  readonly deep?: boolean;
  /** Takes for damage what an older version of the machine may explain. @default false */
  readonly strict?: boolean;
  /** Stops between two steps when aborted: the iteration throws then. */
  readonly signal?: AbortSignal;
  /** Told how far it is, after each step. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How far a check is. */
export interface Progress {
  readonly partition: number;
  readonly partitions: number;
  /** In this partition. */
  readonly entities: number;
  readonly events: number;
}

/** What was checked. */
export interface Checked {
  readonly partitions: number;
  readonly entities: number;
  readonly events: number;
}

/** The longest rest between two steps, in ms. */
const LONGEST_REST_MS = 100;
/** How long applying a machine to all partitions may take, in ms. */
const APPLYING_MS = 500;

/**
 * Checks a machine's index, timers and logs against its entities and its event log, while others go on changing them,
 * in steps that are small for the server. Yields findings as they are made; at the end, what was checked.
 *
 * Each entity is looked at in one moment, and what is wrong counts only where a second look finds it again. With
 * `repair` its places are mended at once, unless it has changed since that look. What this server or this user does not
 * allow to check is a finding too, `unchecked`.
 *
 * @throws ContractError NOMACHINE where no partition holds the machine; NotExecutedError when the server can't be asked,
 * or is a replica and `repair` is set.
 * @example for await (const finding of fsck(connection, "latchkey", "agent")) console.log(finding.message);
 */
export async function* fsck(
  connection: Connection,
  namespace: string,
  machine: string,
  options: FsckOptions = {},
): AsyncGenerator<Finding, Checked> {
  const question = `fsck ${machine}`;
  const { repair = false, strict = false } = options;
  const copy = await ask(connection, question, isReplica);
  if (repair && copy) {
    const message = `${question} can't repair here: the server is a replica; connect to its primary`;
    throw new NotExecutedError(message, "READONLY");
  }
  const { location, defects } = await ask(connection, question, (client) =>
    checkFacts(client, namespace, machine),
  );
  const parts = Array.from({ length: location.partitions }, (_, partition) => partOf(location, partition));
  const found = await ask(connection, question, (client) => checkMachine(client, parts, copy));
  if (found === undefined) {
    const message = `no machine "${machine}" is installed in namespace "${namespace}"; apply it first`;
    throw new ContractError("NOMACHINE", message);
  }
  const { first, installed, problems, unasked } = found;
  const [origin = partOf(location, 0)] = parts;
  for (const defect of defects) yield asLeft(origin, defect);
  yield* problems;
  if (unasked !== undefined) {
    const message = `whether apply would write the machine as it is was not asked: ${unasked}`;
    yield unchecked(origin, message, "check it as a writer, at the primary");
  }
  const deep = options.deep === true && (await ask(connection, question, mayScan));
  if (options.deep === true && !deep) {
    const message = "all keys were not walked over: this user may not (NOPERM)";
    yield unchecked(origin, message, "grant it with ACL SETUSER <user> +scan, or leave out --deep");
  }
  const total = { partitions: location.partitions, entities: 0, events: 0 };
  for (const part of parts) {
    let began = performance.now();
    const rest = async (done: { entities: number; events: number }): Promise<void> => {
      options.signal?.throwIfAborted();
      options.onProgress?.({ ...done, partition: part.partition, partitions: location.partitions });
      // As long as the step took: half of the time the server is not asked at all.
      await pause(Math.min(performance.now() - began, LONGEST_REST_MS));
      began = performance.now();
    };
    const steps = checkPartition(connection.client, part, installed[part.partition] ?? first, {
      ...{ repair, deep, strict },
      rest,
    });
    const done = yield* answered(connection, question, steps);
    total.entities += done.entities;
    total.events += done.events;
  }
  return total;
}

/** A check whose failed questions are told as such. */
async function* answered<T, R>(
  connection: Connection,
  question: string,
  steps: AsyncGenerator<T, R>,
): AsyncGenerator<T, R> {
  for (;;) {
    const step = await askOnce(connection, question, () => steps.next());
    if (step.done === true) return step.value;
    yield step.value;
  }
}

/** What could not be checked here. */
function unchecked({ partition, keys }: Part, message: string, why: string): Finding {
  return { kind: "unchecked", id: "", partition, key: keys.machine, message, result: "unchecked", why };
}

/** A machine as all partitions hold it. */
interface Found {
  readonly first: Installed;
  readonly installed: readonly (Installed | undefined)[];
  readonly problems: readonly Finding[];
  /** Why the script that installs machines could not be asked; undefined where it was. */
  readonly unasked: string | undefined;
}

/**
 * Checks the machine in all partitions; where they differ, a second time, since one may just be applied. Undefined
 * where none holds it.
 */
async function checkMachine(
  client: Valkey,
  parts: readonly Part[],
  copy: boolean,
): Promise<Found | undefined> {
  for (let isLast = false; ; isLast = true) {
    const installed: (Installed | undefined)[] = [];
    for (const part of parts) installed.push(await readInstalled(client, part));
    const first = installed.find((one) => one !== undefined);
    if (first === undefined) return undefined;
    const problems: Finding[] = [];
    let unasked: string | undefined;
    for (const [at, part] of parts.entries()) {
      const own = installed[at];
      const defects = own === first ? checkRows(part, own) : checkAlike(part, own, first);
      if (own !== undefined && defects.length === 0) {
        const applied = await checkApplied(client, part, own, copy);
        defects.push(...applied.defects);
        unasked ??= applied.unasked;
      }
      problems.push(...defects.map((defect) => asLeft(part, defect)));
    }
    if (problems.length === 0 || isLast) return { first, installed, problems, unasked };
    await pause(APPLYING_MS);
  }
}
