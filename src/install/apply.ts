import { readReply, unwrap } from "../changes/result.js";
import { transition } from "../changes/transition.js";
import { checkFlag, checkObject, checkOptions } from "../contract/arguments.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { MachineInUseError } from "../errors/machine-in-use-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { compareMachines } from "../machine/compare.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { readMachine } from "../reads/installed-machine.js";
import { list } from "../reads/list.js";
import { ask, contractError } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { classifyFailure } from "../valkey/failure.js";
import { allPartitionKeys, type MachineLocation } from "../valkey/keys.js";
import { noteMachine } from "../valkey/layout.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { runScript } from "../valkey/script.js";

/** How to apply a machine. */
export interface ApplyOptions {
  /** Where entities of dropped states go: old state to new state. */
  readonly map?: Readonly<Record<string, string>>;
  /** Only tells what would happen. @default false */
  readonly dryRun?: boolean;
  /** Who does it, for the events of moved entities. */
  readonly actor?: string;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof ApplyOptions>(["map", "dryRun", "actor"]);

/** @throws ContractError with code BADARG where an option is none, or can't be what it is */
export function checkApply(options: ApplyOptions): void {
  checkOptions(options, OPTIONS);
  if (options.map !== undefined) checkObject("map", options.map);
  checkFlag("dryRun", options.dryRun);
}

/** What applying a machine did, or would do. */
export interface Applied {
  readonly machine: string;
  readonly version: number;
  /** The version that was installed before; null for none. */
  readonly before: number | null;
  /** False where the same definition was installed already. */
  readonly changed: boolean;
  /** What is different from the installed definition, a line each. */
  readonly differences: readonly string[];
  /** Entities in dropped states, by state, before they are moved. */
  readonly retired: Readonly<Record<string, number>>;
  /** How many entities were moved out of dropped states. */
  readonly moved: number;
}

interface ScriptAnswer {
  readonly machine: string;
  readonly version: number;
  readonly changed?: boolean;
  readonly retired?: Record<string, number>;
  readonly problem?: "LOWER" | "DIFFERENT" | "STATES";
  readonly states?: Record<string, number>;
}

/**
 * Installs a machine in every partition: nowhere unless it may be installed everywhere.
 *
 * With `map`, entities of dropped states are moved one by one, each by an ordinary transition. A run that is cut short
 * leaves the rest where they are, free to go nowhere else; running it again moves them.
 *
 * @throws MachineInUseError when a newer version, another content or entities in dropped states stand in the way.
 */
export async function applyMachine(
  connection: Connection,
  location: MachineLocation,
  definition: CompiledMachine,
  options: ApplyOptions = {},
): Promise<Applied> {
  const installed = await readMachine(connection, location);
  const map = Object.entries(options.map ?? {});
  const words = [definition.json, ...map.flatMap(([old, now]) => ["MAP", old, now])];
  const tried = await everywhere(connection, location, [...words, "DRYRUN"]);
  const answers = options.dryRun === true ? tried : await everywhere(connection, location, words);
  if (options.dryRun !== true) {
    await ask(connection, "apply", (client) => noteMachine(client, location.namespace, location.machine));
  }
  const retired = sum(answers.map((answer) => answer.retired ?? {}));
  const store: MachineStore = { connection, location, definition };
  const moved = options.dryRun === true ? 0 : await moveOut(store, map, retired, options.actor);
  return {
    machine: definition.name,
    version: definition.version,
    before: installed?.definition.version ?? null,
    changed: tried.some((answer) => answer.changed === true),
    differences: installed === null ? [] : compareMachines(installed.definition, definition),
    retired,
    moved,
  };
}

/** @throws LatchkeyError with code UNKNOWN where some partition has the definition, or may have it, and not all are known to. */
async function everywhere(
  connection: Connection,
  location: MachineLocation,
  args: readonly string[],
): Promise<ScriptAnswer[]> {
  const answers: ScriptAnswer[] = [];
  const name = `apply ${location.machine}`;
  let isOpen = false;
  for (const keys of allPartitionKeys(location)) {
    // Applying the same definition twice is applying it once.
    const reply = await ask(connection, name, async (client) => {
      try {
        return await runScript(client, scripts.apply, [keys.machine, keys.index], args);
      } catch (error) {
        isOpen ||= classifyFailure(error) === "unknown";
        throw contractError(error, name) ?? error;
      }
    }).catch((error: unknown) => {
      if (args.includes("DRYRUN") || !isOpen || !(error instanceof NotExecutedError)) throw error;
      throw new LatchkeyError(
        "UNKNOWN",
        `${error.message}; it may be installed, in part at least: apply it again`,
      );
    });
    isOpen = true;
    const { outcome, text } = readReply(reply);
    if (text === null) throw new LatchkeyError("PROTOCOL", "apply answered without a document");
    const answer = JSON.parse(text) as ScriptAnswer;
    if (outcome === "INUSE") throw inUse(answer);
    answers.push(answer);
  }
  return answers;
}

function inUse({ machine, version, problem = "DIFFERENT", states = {} }: ScriptAnswer): MachineInUseError {
  const sitting = Object.entries(states)
    .map(([state, n]) => `${n} in ${state}`)
    .join(", ");
  const text = {
    LOWER: `machine ${machine}: version ${version} is installed, which is newer; raise the definition's version`,
    DIFFERENT: `machine ${machine}: version ${version} is installed with another content; raise the definition's version`,
    STATES: `machine ${machine}: entities sit in states that would be dropped (${sitting}); say where they go with map old=new`,
  }[problem];
  return new MachineInUseError(text, machine, version, problem, states);
}

function sum(parts: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const part of parts) {
    for (const [state, n] of Object.entries(part)) total[state] = (total[state] ?? 0) + n;
  }
  return total;
}

async function moveOut(
  store: MachineStore,
  map: readonly (readonly [string, string])[],
  retired: Readonly<Record<string, number>>,
  actor: string | undefined,
): Promise<number> {
  let moved = 0;
  for (const [old, now] of map) {
    if (retired[old] === undefined) continue;
    for await (const entity of list(store, { state: old })) {
      const reason = `machine ${store.definition.name} version ${store.definition.version} drops ${old}`;
      const result = await transition(store, entity.id, now, {
        reason,
        ...(actor !== undefined && { actor }),
      });
      // Someone else moved or removed it first: that is what was wanted.
      if (!result.ok && result.current?.state !== old) continue;
      unwrap(result);
      moved += 1;
    }
  }
  return moved;
}
