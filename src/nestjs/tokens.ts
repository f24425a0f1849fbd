import { checkName, refuse, shortText } from "../contract/arguments.js";
import { MACHINE_NAME } from "../machine/names.js";

/** Name of the connection if none is given. */
export const DEFAULT_CONNECTION = "default";

/**
 * Returns the injection token of a connection. Tests can override its provider.
 *
 * @param connection name of the connection
 * @throws ContractError if the name is invalid
 * @example getLatchkeyToken(); // "Latchkey"
 * @example getLatchkeyToken("orders"); // "Latchkey:orders"
 */
export function getLatchkeyToken(connection = DEFAULT_CONNECTION): string {
  return ["Latchkey", ...suffix(connection)].join(":");
}

/**
 * Returns the injection token of the entities of a machine. Tests can override its provider.
 *
 * @param machine the machine, or its name
 * @param connection name of the connection
 * @throws ContractError if a name is invalid
 * @example getEntitiesToken(order); // "LatchkeyEntities:order"
 * @example getEntitiesToken("order", "orders"); // "LatchkeyEntities:orders:order"
 */
export function getEntitiesToken(
  machine: string | { readonly name: string },
  connection = DEFAULT_CONNECTION,
): string {
  const name = typeof machine === "string" ? machine : machine?.name;
  if (name === undefined) refuse(`machine must be a machine or its name, not ${shortText(machine)}`);
  return ["LatchkeyEntities", ...suffix(connection), checkName(MACHINE_NAME, name)].join(":");
}

function suffix(connection: string): string[] {
  checkName({ ...MACHINE_NAME, kind: "connection" }, connection);
  return connection === DEFAULT_CONNECTION ? [] : [connection];
}
