import { agent } from "../../machine/agent.js";
import type { MachineDefinition } from "../../machine/definition.js";
import { usageError } from "../cli-error.js";
import type { Settings } from "./settings.js";

/**
 * The definition that a command is given: a file's, else the built-in agent machine.
 *
 * @throws MachineFileError or MachineDefinitionError for a wrong file; CliError USAGE where `-m` names another machine.
 */
export async function givenMachine(
  file: string | undefined,
  { machine, given }: Settings,
): Promise<MachineDefinition> {
  if (file === undefined) {
    if (machine !== "agent") {
      throw usageError(`only the agent machine is built in; give the file of ${machine}: -f ${machine}.yaml`);
    }
    return agent();
  }
  const { readMachineFile } = await import("../../machine/file.js");
  const definition = await readMachineFile(file);
  if (given.machine !== undefined && given.machine !== definition.name) {
    throw usageError(`${file} defines ${definition.name}, and -m says ${given.machine}; leave -m out`);
  }
  return definition;
}
