import type { CompiledMachine } from "../machine/compiled.js";
import type { Connection } from "./connection.js";
import type { MachineLocation } from "./keys.js";

/**
 * Called after a reply NOMACHINE. Reads the facts of the namespace again, and installs what the server has lost.
 *
 * @returns true if the machine is installed, so that the call may be sent again
 * @throws LayoutError if the namespace has other facts than before; NotExecutedError if the server does not reply
 */
export type Recover = () => Promise<boolean>;

/** The entities of one machine in one namespace: their location, the connection to them, and their definition. */
export interface MachineStore {
  readonly connection: Connection;
  readonly location: MachineLocation;
  /** Definition that this client knows. The server's copy decides. */
  readonly definition: CompiledMachine;
  /** Definition of this program, if the server has another one. */
  readonly ownDefinition?: CompiledMachine;
  /** Undefined for a store that installs nothing. */
  readonly recover?: Recover | undefined;
}
