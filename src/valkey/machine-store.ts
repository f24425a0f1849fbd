import type { CompiledMachine } from "../machine/compiled.js";
import type { Connection } from "./connection.js";
import type { MachineLocation } from "./keys.js";

/** The entities of one machine in one namespace: their location, the connection to them, and their definition. */
export interface MachineStore {
  readonly connection: Connection;
  readonly location: MachineLocation;
  /** Definition that this client knows. The server's copy decides. */
  readonly definition: CompiledMachine;
  /** Definition of this program, if the server has a newer one. */
  readonly olderDefinition?: CompiledMachine;
}
