import type { FactoryProvider } from "@nestjs/common";
import type { Latchkey } from "../latchkey.js";
import type { MachineDefinition } from "../machine/definition.js";
import { LatchkeyRegistry } from "./registry.js";
import { getEntitiesToken, getLatchkeyToken } from "./tokens.js";

/** Makes the provider of the entities of a machine. Without an override it applies the machine. */
export function entitiesProvider(machine: MachineDefinition, connection?: string): FactoryProvider {
  return {
    provide: getEntitiesToken(machine, connection),
    inject: [getLatchkeyToken(connection), LatchkeyRegistry],
    useFactory: (latchkey: Latchkey, registry: LatchkeyRegistry) => registry.entities(latchkey, machine),
  };
}
