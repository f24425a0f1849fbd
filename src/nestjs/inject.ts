import { Inject } from "@nestjs/common";
import type { Fields } from "../contract/own-fields.js";
import type { Entities } from "../entities.js";
import type { MachineDefinition } from "../machine/definition.js";
import { getEntitiesToken, getLatchkeyToken } from "./tokens.js";

/**
 * Derives the type of the entities of a machine, with own fields `F`.
 *
 * @example constructor(@InjectEntities(order) private readonly orders: EntitiesOf<typeof order, OrderFields>) {}
 */
export type EntitiesOf<M extends MachineDefinition, F extends object = Fields> = Entities<M, F>;

/**
 * Injects a connection, a `Latchkey`. Needs no emitted metadata.
 *
 * @param connection name of the connection
 * @example constructor(@InjectLatchkey() private readonly latchkey: Latchkey) {}
 */
export function InjectLatchkey(connection?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getLatchkeyToken(connection));
}

/**
 * Injects the entities of a machine that `LatchkeyModule.forFeature` names. Needs no emitted metadata.
 *
 * @param machine the machine, or its name
 * @param connection name of the connection
 * @example constructor(@InjectEntities(order) private readonly orders: EntitiesOf<typeof order>) {}
 */
export function InjectEntities(
  machine: string | { readonly name: string },
  connection?: string,
): PropertyDecorator & ParameterDecorator {
  return Inject(getEntitiesToken(machine, connection));
}
