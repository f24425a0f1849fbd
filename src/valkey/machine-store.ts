import type { CompiledMachine } from "../machine/compiled.js";
import type { Connection } from "./connection.js";
import type { MachineLocation } from "./keys.js";

/** Installs a machine again that the server has lost. @returns whether the call may be sent again */
export type Recover = () => Promise<boolean>;

/** The entities of one machine in one namespace: their location, the connection to them, and their definition. */
export interface MachineStore {
  readonly connection: Connection;
  readonly location: MachineLocation;
  /** Definition that this client knows. The server's copy decides. */
  readonly definition: CompiledMachine;
  readonly recover?: Recover | undefined;
}
