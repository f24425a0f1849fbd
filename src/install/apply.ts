import { transition } from "../changes/change.js";
import { unwrap } from "../changes/result.js";
import { checkFlag, checkObject, checkOptions } from "../contract/arguments.js";
import { readReply } from "../contract/reply.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { MachineInUseError } from "../errors/machine-in-use-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { compareMachines } from "../machine/compare.js";
import { readMachine } from "../reads/installed-machine.js";
import { list } from "../reads/list.js";
import { ask, contractError } from "../valkey/ask.js";
import { classifyFailure } from "../valkey/failure.js";
import { applyKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { runScript } from "../valkey/script.js";

/** Options of `apply`. */
export interface ApplyOptions {
  /** New states for the entities in states that this version drops: old state to new state. */
  readonly map?: Readonly<Record<string, string>>;
  /** Reports what would change, and writes nothing. @default false */
  readonly dryRun?: boolean;
  /** Name of the process or user, for the events of moved entities. */
  readonly actor?: string;
}

const OPTIONS: readonly (keyof ApplyOptions)[] = ["map", "dryRun", "actor"];

/** Checks the options of `apply`. @throws ContractError with code BADARG if one is unknown or invalid */
export function checkApply(options: ApplyOptions): void {
  checkOptions(options, OPTIONS);
  if (options.map !== undefined) checkObject("map", options.map);
  checkFlag("dryRun", options.dryRun);
}

/** Result of `apply`. With `dryRun`, the result that it would have. */
export interface Applied {
  readonly machine: string;
  readonly version: number;
  /** The version that was installed before; null if there was none. */
  readonly before: number | null;
  /** False if the same definition was already installed. */
  readonly changed: boolean;
  /** Differences from the installed definition, one per line. */
  readonly differences: readonly string[];
  /** Number of entities in each dropped state, before they are moved. */
  readonly retired: Readonly<Record<string, number>>;
  /** Number of entities that were moved out of dropped states. */
  readonly moved: number;
}

interface ApplyReply {
  readonly machine: string;
  readonly version: number;
  readonly changed?: boolean;
  readonly retired?: Record<string, number>;
  readonly problem?: "LOWER" | "DIFFERENT" | "STATES";
  readonly states?: Record<string, number>;
}

/**
 * Installs a machine in all partitions, or in none if one of them rejects it.
 *
 * With `map`, moves entities out of dropped states one by one, each by a transition. If the call is interrupted, the
 * remaining entities stay where they are, and only the mapped transition is allowed; applying again moves them.
 *
 * @throws MachineInUseError if a newer version, another definition of this version or entities in dropped states prevent it
 */
export async function applyMachine(store: MachineStore, options: ApplyOptions = {}): Promise<Applied> {
  const { connection, location, definition } = store;
  const installed = await readMachine(connection, location);
  const map = Object.entries(options.map ?? {});
  const words = [definition.json, ...map.flatMap(([old, now]) => ["MAP", old, now])];
  const preview = await applyEverywhere(store, [...words, "DRYRUN"]);
  const isDryRun = options.dryRun === true;
  const answers = isDryRun ? preview : await applyEverywhere(store, words);
  const retired: Record<string, number> = {};
  for (const [state, number] of answers.flatMap((answer) => Object.entries(answer.retired ?? {})))
    retired[state] = (retired[state] ?? 0) + number;
  return {
    machine: definition.name,
    version: definition.version,
    before: installed?.definition.version ?? null,
    changed: preview.some(({ changed }) => changed === true),
    differences: installed === null ? [] : compareMachines(installed.definition, definition),
    retired,
    moved: isDryRun ? 0 : await moveEntities(store, map, retired, options.actor),
  };
}

/**
 * Runs the script in all partitions.
 *
 * @throws LatchkeyError with code UNKNOWN if some partitions have or may have the definition, but not certainly all
 */
async function applyEverywhere(
  { connection, location }: MachineStore,
  words: readonly string[],
): Promise<ApplyReply[]> {
  const answers: ApplyReply[] = [];
  const name = `apply ${location.machine}`;
  let isOpen = false;
  for (let partition = 0; partition < location.partitions; partition += 1) {
    const keys = applyKeys(location, partition);
    const reply = await ask(connection, name, async (client) => {
      try {
        return await runScript(client, scripts.apply, keys, words);
      } catch (error) {
        isOpen ||= classifyFailure(error) === "unknown";
        throw contractError(error, name) ?? error;
      }
    }).catch((error: unknown) => {
      if (words.includes("DRYRUN") || !isOpen || !(error instanceof NotExecutedError)) throw error;
      const message = `${error.message}; some partitions may have the new definition: apply it again`;
      throw new LatchkeyError("UNKNOWN", message);
    });
    isOpen = true;
    const { outcome, text } = readReply(reply);
    if (text === null) throw new LatchkeyError("PROTOCOL", "the reply of apply has no document");
    const answer = JSON.parse(text) as ApplyReply;
    if (outcome === "INUSE") throw inUse(answer);
    answers.push(answer);
  }
  return answers;
}

function inUse({ machine, version, problem = "DIFFERENT", states = {} }: ApplyReply): MachineInUseError {
  const counts = Object.entries(states).map(([state, number]) => `${number} in ${state}`);
  const why = {
    LOWER: `version ${version} is installed, which is newer; raise the version of the definition`,
    DIFFERENT: `version ${version} is installed with another definition; raise the version of the definition`,
    STATES: `entities are in states that this version drops (${counts.join(", ")}); add map old=new for each state`,
  }[problem];
  return new MachineInUseError(`machine ${machine}: ${why}`, machine, version, problem, states);
}

/** Moves the entities of dropped states. Returns how many it moved. */
async function moveEntities(
  store: MachineStore,
  map: readonly (readonly [string, string])[],
  retired: Readonly<Record<string, number>>,
  actor: string | undefined,
): Promise<number> {
  const { name, version } = store.definition;
  let moved = 0;
  for (const [old, now] of map) {
    if (retired[old] === undefined) continue;
    for await (const { id } of list(store, { state: old })) {
      const reason = `machine ${name} version ${version} drops ${old}`;
      const result = await transition(store, id, now, { reason, ...(actor !== undefined && { actor }) });
      // Another process moved or removed it first, which is fine.
      if (!result.ok && result.current?.state !== old) continue;
      unwrap(result);
      moved += 1;
    }
  }
  return moved;
}
