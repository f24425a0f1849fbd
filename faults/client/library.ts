import { setTimeout as pause } from "node:timers/promises";
import {
  ContractError,
  connect,
  type Durability,
  type Entities,
  type Latchkey,
  type MachineDefinition,
  NotDurableError,
  NotExecutedError,
  OutcomeUnknownError,
  partitionOf,
  type Snapshot,
} from "latchkey";
import type { DurabilityLevel, Outcome, ResolvedRecord } from "../history/records.js";
import type { PlannedCall } from "./workload.js";

/** Longest wait for acknowledgements, in ms. */
const DURABLE_MS = 500;

/** Attempts to resolve an unknown outcome, each as long as a call may take. */
const RESOLVE_TRIES = 10;
/** Some reasons fail at once and last for a while. */
const RESOLVE_PAUSE_MS = 200;

/** Describes how a call ended. */
export interface Answer {
  readonly outcome: Outcome;
  readonly document?: Snapshot;
  readonly error?: string;
  /** Resolves an unknown outcome. Returns undefined if it cannot be resolved yet. */
  readonly resolve?: () => Promise<Pick<ResolvedRecord, "outcome" | "version"> | undefined>;
}

/** Wraps the library for client processes. Everything that depends on its version is here. */
export class Library {
  readonly #latchkey: Latchkey;
  readonly entities: Entities;
  /** Number of replicas of each primary. */
  readonly #replicas: number;
  readonly #partitions: number;
  /** An ID of each partition. */
  readonly #samples: readonly string[];

  private constructor(latchkey: Latchkey, entities: Entities, url: string) {
    this.#latchkey = latchkey;
    this.#replicas = url.includes("+cluster:") ? 1 : 2;
    this.entities = entities;
    this.#partitions = latchkey.partitions ?? 1;
    const samples: string[] = [];
    for (let at = 0; Object.keys(samples).length < this.#partitions; at += 1)
      samples[this.partitionOf(`sample-${at}`)] = `sample-${at}`;
    this.#samples = samples;
  }

  static async open(
    url: string,
    namespace: string,
    name: string,
    timeoutMs: number,
    machine: MachineDefinition,
  ): Promise<Library> {
    const latchkey = await connect({
      url,
      namespace,
      connectionName: name,
      timeout: timeoutMs,
      // It asks all nodes of a cluster for their map first.
      connectTimeoutMs: url.includes("+cluster:") ? timeoutMs * 5 : timeoutMs,
      silenceTimeoutMs: timeoutMs / 2,
    });
    try {
      const entities: Entities = await latchkey.machine(machine);
      return new Library(latchkey, entities, url);
    } catch (error) {
      await latchkey.close();
      throw error;
    }
  }

  /** Returns a server time in ms that is not after this moment. */
  async serverTime(): Promise<number> {
    const { nowMs, errorMs } = await this.#latchkey.serverTime();
    return Math.floor(nowMs - errorMs);
  }

  /** Returns the partition of an entity. */
  partitionOf(id: string): number {
    return partitionOf(id, this.#partitions);
  }

  /** Returns a position of an entity's event log that is not after its end. */
  async position(id: string): Promise<string> {
    return this.entities.position(id);
  }

  /** Returns such a position of each partition. */
  async positions(): Promise<string[]> {
    return Promise.all(this.#samples.map((id) => this.position(id)));
  }

  async call(step: PlannedCall): Promise<Answer> {
    try {
      return await this.#call(step);
    } catch (error) {
      return answerOf(error);
    }
  }

  async #call({ operation, id, to, set, durability, ...others }: PlannedCall): Promise<Answer> {
    const { entities } = this;
    if (operation === "get") {
      const document = await entities.get(id);
      return document === null ? { outcome: "NOTFOUND" } : { outcome: "OK", document };
    }
    const rest = {
      ...others,
      ...(durability !== undefined && { durability: this.#durabilityOf(durability) }),
    };
    const options = operation === "create" ? rest : { ...rest, ...(set !== undefined && { set }) };
    const result = await (operation === "create"
      ? entities.tryCreate(id, set ?? {}, options)
      : operation === "transition"
        ? entities.tryTransition(id, to ?? "", options)
        : operation === "patch"
          ? entities.tryPatch(id, options)
          : entities.tryRemove(id, options));
    const document = result.ok ? result.document : result.current;
    const outcome = result.ok && result.durability?.met === false ? "NOTDURABLE" : result.outcome;
    return { outcome, ...(document !== null && { document }) };
  }

  /** Maps the durability of a history to the option of the library. */
  #durabilityOf(level: DurabilityLevel): Durability {
    // All replicas: if only one of two acknowledged, the other may be promoted while the old primary still replies.
    return level === "replicas" ? { replicas: this.#replicas, timeoutMs: DURABLE_MS } : level;
  }

  async close(): Promise<void> {
    await this.#latchkey.close();
  }
}

async function resolutionOf(
  error: OutcomeUnknownError,
): Promise<Pick<ResolvedRecord, "outcome" | "version"> | undefined> {
  for (let tries = 0; tries < RESOLVE_TRIES; tries += 1) {
    try {
      const resolution = await error.resolve();
      if (resolution.outcome !== "DONE") return { outcome: resolution.outcome };
      return { outcome: "DONE", version: resolution.version };
    } catch (reason) {
      if (!(reason instanceof OutcomeUnknownError)) throw reason; // otherwise it cannot be resolved yet
      await pause(RESOLVE_PAUSE_MS);
    }
  }
  return undefined;
}

function answerOf(error: unknown): Answer {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  if (error instanceof NotDurableError)
    return { outcome: "NOTDURABLE", document: error.document, error: text };
  if (error instanceof NotExecutedError) return { outcome: "NOTEXECUTED", error: text };
  if (error instanceof OutcomeUnknownError) {
    return { outcome: "UNKNOWN", error: text, resolve: () => resolutionOf(error) };
  }
  return { outcome: "ERROR", error: error instanceof ContractError ? `${error.code} ${text}` : text };
}
