import { LatchkeyError } from "./latchkey-error.js";

/**
 * A machine cannot be installed. `code` is `"INUSE"`. If partitions have different versions, because another process
 * overtook this one or interrupted it, `versions` shows them: apply the newest one again.
 */
export class MachineInUseError extends LatchkeyError {
  override readonly name = "MachineInUseError";
  readonly machine: string;
  /** The version installed on the server. */
  readonly installedVersion: number;
  /** `LOWER`: a newer version is installed. `DIFFERENT`: this version has another content. `STATES`: entities are in dropped states. */
  readonly problem: "LOWER" | "DIFFERENT" | "STATES";
  /** Entities in states that would be dropped, by state. */
  readonly states: Readonly<Record<string, number>>;
  /** Installed version by partition; null if the machine is not installed there. Partitions that could not be read are absent. */
  readonly versions: Readonly<Record<number, number | null>>;

  constructor(
    message: string,
    machine: string,
    installedVersion: number,
    problem: "LOWER" | "DIFFERENT" | "STATES",
    states: Readonly<Record<string, number>>,
    versions: Readonly<Record<number, number | null>> = {},
  ) {
    super("INUSE", message);
    this.machine = machine;
    this.installedVersion = installedVersion;
    this.problem = problem;
    this.states = states;
    this.versions = versions;
  }
}
