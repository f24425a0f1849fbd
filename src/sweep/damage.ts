import type { Valkey } from "iovalkey";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { parseCompiledMachine } from "../machine/compile.js";
import { ask } from "../valkey/ask.js";
import { entityKey, logKey } from "../valkey/keys.js";
import { mending, type SweepPart, sweepOf } from "./partition.js";

/** What is wrong with a key. */
interface Damage {
  /** And what to do about it. */
  readonly why: string;
  /** Whether nothing can fire. */
  readonly isTotal: boolean;
}

const FOREIGN = "something other than latchkey wrote it; rename or delete it";

/**
 * What is wrong with the keys that all entities of a partition share, by key. Asks only for what the scripts ask for as
 * well, so that whoever may fire may look.
 */
export async function damageOf(part: SweepPart): Promise<ReadonlyMap<string, Damage>> {
  const { keys, location } = part;
  const apply = `apply the definition of ${location.machine} again`;
  const [machine, index, due, events] = await Promise.all([
    look(part, (client) => client.hmget(keys.machine, "version", "definition", "states")),
    look(part, (client) => client.zcard(keys.index)),
    look(part, (client) => client.zcard(keys.due)),
    look(part, (client) => client.xlen(keys.events)),
  ]);
  const found = new Map<string, Damage>();
  const foreign = (key: string, type: string, cure: string): void => {
    found.set(key, {
      why: `${key} holds something else than a ${type}: ${FOREIGN}, then ${cure}`,
      isTotal: true,
    });
  };
  if (machine === FOREIGN) foreign(keys.machine, "hash", apply);
  else if (machine?.every((value) => value === null)) {
    const why = `${keys.machine} is gone: no such machine is installed in partition ${part.partition}; ${apply}`;
    found.set(keys.machine, { why, isTotal: true });
  } else if (machine !== undefined && !isMachine(machine)) {
    // Nothing that fires reads the definition, but who lacks a deadline can't be told without it.
    const why = `${keys.machine} can't be read: ${apply}, under a higher version`;
    found.set(keys.machine, { why, isTotal: false });
  }
  const run = `run ${mending(part)}`;
  if (index === FOREIGN) foreign(keys.index, "sorted set", run);
  if (due === FOREIGN) foreign(keys.due, "sorted set", run);
  if (events === FOREIGN) foreign(keys.events, "stream", run);
  return found;
}

/** What is wrong with the keys of one entity; undefined where they are of their types. */
export async function damageOfEntity(part: SweepPart, id: string): Promise<string | undefined> {
  const [entity, log] = [entityKey(part.location, id), logKey(part.location, id)];
  const [hash, list] = await Promise.all([
    look(part, (client) => client.hget(entity, "state")),
    look(part, (client) => client.llen(log)),
  ]);
  const wrong = hash === FOREIGN ? `${entity} holds something else than a hash` : undefined;
  const what = wrong ?? (list === FOREIGN ? `${log} holds something else than a list` : undefined);
  return what === undefined ? undefined : `${what}: ${FOREIGN}, then run ${mending(part)}`;
}

/** An answer; {@link FOREIGN} where the key is of another type, undefined where this user may not look. */
async function look<T>(
  part: SweepPart,
  question: (client: Valkey) => Promise<T>,
): Promise<T | typeof FOREIGN | undefined> {
  try {
    return await ask(part.connection, sweepOf(part), question);
  } catch (error) {
    if (error instanceof NotExecutedError && error.reply === "WRONGTYPE") return FOREIGN;
    if (error instanceof NotExecutedError && error.reply === "NOPERM") return undefined;
    throw error;
  }
}

function isMachine([version, definition, states]: readonly (string | null)[]): boolean {
  if (version == null || definition == null || states == null) return false;
  try {
    parseCompiledMachine(definition);
    return true;
  } catch {
    return false;
  }
}
