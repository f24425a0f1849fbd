import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { scripts } from "../lua/index.js";
import { ask, told } from "../store/call-error.js";
import { ContractError } from "../store/errors.js";
import { readReply } from "../store/result.js";
import type { Connection } from "../valkey/connection.js";
import { replyCode } from "../valkey/failure.js";
import { runScript } from "../valkey/script.js";
import { asLeft, checkPartition } from "./check-partition.js";
import { type Part, partOf } from "./entity-places.js";
import { checkFacts } from "./facts-check.js";
import type { Defect, Finding } from "./finding.js";
import { type Installed, readInstalled } from "./installed.js";
import { checkAlike, checkRows } from "./machine-check.js";

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
 * `repair` its places are mended at once, unless it has changed since that look.
 *
 * @throws ContractError NOMACHINE where no partition holds the machine; NotExecutedError when the server can't be asked.
 * @example for await (const finding of fsck(connection, "latchkey", "agent")) console.log(finding.message);
 */
export async function* fsck(
  connection: Connection,
  namespace: string,
  machine: string,
  options: FsckOptions = {},
): AsyncGenerator<Finding, Checked> {
  const question = `fsck ${machine}`;
  const { place, defects } = await ask(connection, question, (client) =>
    checkFacts(client, namespace, machine),
  );
  const parts = Array.from({ length: place.partitions }, (_, partition) => partOf(place, partition));
  const found = await ask(connection, question, (client) => checkMachine(client, parts));
  if (found === undefined) {
    const message = `no machine "${machine}" is installed in namespace "${namespace}"; apply it first`;
    throw new ContractError("NOMACHINE", message);
  }
  const { first, installed, problems } = found;
  const [origin = partOf(place, 0)] = parts;
  for (const defect of defects) yield asLeft(origin, defect);
  yield* problems;
  const total = { partitions: place.partitions, entities: 0, events: 0 };
  for (const part of parts) {
    let began = performance.now();
    const rest = async (done: { entities: number; events: number }): Promise<void> => {
      options.signal?.throwIfAborted();
      options.onProgress?.({ ...done, partition: part.partition, partitions: place.partitions });
      // As long as the step took: half of the time the server is not asked at all.
      await pause(Math.min(performance.now() - began, LONGEST_REST_MS));
      began = performance.now();
    };
    const { repair = false, deep = false, strict = false } = options;
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
    const step = await told(connection, question, () => steps.next());
    if (step.done === true) return step.value;
    yield step.value;
  }
}

/**
 * Checks the machine in all partitions; where they differ, a second time, since one may just be applied. Undefined
 * where none holds it.
 */
async function checkMachine(
  client: Valkey,
  parts: readonly Part[],
): Promise<{ first: Installed; installed: (Installed | undefined)[]; problems: Finding[] } | undefined> {
  for (let isLast = false; ; isLast = true) {
    const installed: (Installed | undefined)[] = [];
    for (const part of parts) installed.push(await readInstalled(client, part));
    const first = installed.find((one) => one !== undefined);
    if (first === undefined) return undefined;
    const problems: Finding[] = [];
    for (const [at, part] of parts.entries()) {
      const own = installed[at];
      const defects = own === first ? checkRows(part, own) : checkAlike(part, own, first);
      if (own !== undefined && defects.length === 0) defects.push(...(await checkApplied(client, part, own)));
      problems.push(...defects.map((defect) => asLeft(part, defect)));
    }
    if (problems.length === 0 || isLast) return { first, installed, problems };
    await pause(APPLYING_MS);
  }
}

/** Asks the script that installs machines: its own definition must be what is installed. */
async function checkApplied(client: Valkey, { keys }: Part, { definition }: Installed): Promise<Defect[]> {
  if (definition === undefined) return [];
  const reply = await runScript(
    client,
    scripts.apply,
    [keys.machine, keys.index],
    [definition.json, "DRYRUN"],
  ).catch((error: unknown) => {
    const code = replyCode(error);
    if (["BADARG", "LAYOUT", "NOPERM", "WRONGTYPE"].includes(code)) return code;
    throw error;
  });
  // A user who may only read can't be told; an index of another type is told of by itself.
  if (reply === "NOPERM" || reply === "WRONGTYPE") return [];
  if (typeof reply !== "string") {
    const { outcome, text } = readReply(reply);
    if (outcome === "OK" && text !== null && JSON.parse(text).changed === false) return [];
  }
  const message = "its own definition is not what is installed, as apply tells";
  const why = "apply the definition again under a higher version";
  return [{ kind: "machine-broken", id: "", key: keys.machine, message, why }];
}
