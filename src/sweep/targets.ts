import { MACHINE_NAME } from "../machine/names.js";
import { needMachine } from "../reads/installed-machine.js";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { type MachineLocation, metaKey } from "../valkey/keys.js";
import { partsOf, sweepOf } from "./partition.js";
import type { SweepTally } from "./tally.js";

/** What there is to sweep. */
export interface Found {
  readonly places: readonly MachineLocation[];
  /** Names that are noted as machines, but that no machine can have. */
  readonly misnamed: readonly string[];
}

/** All machines of these names. */
export function foundBy(names: readonly string[], locationOf: (machine: string) => MachineLocation): Found {
  const isOne = (name: string): boolean => MACHINE_NAME.pattern.test(name);
  return { places: names.filter(isOne).map(locationOf), misnamed: names.filter((name) => !isOne(name)) };
}

/**
 * One machine, which must be there to be swept once.
 *
 * @throws ContractError with code NOMACHINE where no partition has it.
 */
export async function foundOne(
  connection: Connection,
  location: MachineLocation,
  once: boolean,
): Promise<Found> {
  const found: Found = { places: [location], misnamed: [] };
  if (!once) return found;
  for (const part of partsOf(connection, location)) {
    if ((await ask(connection, sweepOf(part), (client) => client.exists(part.keys.machine))) > 0)
      return found;
  }
  await needMachine(connection, location, "sweep");
  return found;
}

/** Tells of names that no machine can have, once each. */
export function tellMisnamed(tally: SweepTally, namespace: string, { misnamed }: Found): void {
  const key = metaKey(namespace);
  for (const name of tally.heldAt(key)) if (!misnamed.includes(name)) tally.free(key, name);
  for (const name of misnamed) {
    const why = `${key} notes a machine of this name, which none can have: something other than latchkey wrote it; take it away with HDEL`;
    tally.stuck(key, name, { machine: name, id: "", why });
  }
}
