import { usageError } from "../cli-error.js";
import { thisProgram } from "../shell-command.js";
import { type ChangeAction, runChange } from "./change.js";

/** Changes the own fields of an entity. @throws CliError USAGE without a field to change */
export const patchEntity: ChangeAction = async (context, settings, id, flags) => {
  if (flags.set === undefined && flags.unset === undefined) {
    throw usageError("patch requires --set field=value or --unset field", `${thisProgram()} patch --help`);
  }
  await runChange(context, settings, flags, {
    id,
    send: (entities, options) => entities.patch(id, options),
    summary: () => "patched",
  });
};
