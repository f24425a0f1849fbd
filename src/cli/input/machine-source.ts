import { agent } from "../../machine/agent.js";
import type { MachineDefinition } from "../../machine/definition.js";
import { usageError } from "../cli-error.js";
import type { Settings } from "./settings.js";

/**
 * Reads the definition from a file; without a file, returns the built-in agent machine.
 *
 * @throws MachineFileError or MachineDefinitionError for an invalid file; CliError USAGE if `-m` names another machine.
 */
export async function readDefinition(
  file: string | undefined,
  { machine, given }: Settings,
): Promise<MachineDefinition> {
  if (file === undefined) {
    if (machine !== "agent") {
      throw usageError(`machine "${machine}" is not built in; add its file: -f ${machine}.yaml`);
    }
    return agent();
  }
  const { readMachineFile } = await import("../../machine/file.js");
  const definition = await readMachineFile(file);
  if (given.machine !== undefined && given.machine !== definition.name) {
    throw usageError(`${file} defines machine "${definition.name}", but -m is "${given.machine}"; omit -m`);
  }
  return definition;
}
