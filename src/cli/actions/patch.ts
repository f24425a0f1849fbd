import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { type ChangeFlags, runChange } from "./change.js";

/** Changes the own fields of an entity. @throws CliError USAGE without a field to change */
export async function patchEntity(
  context: CliContext,
  settings: Settings,
  id: string,
  flags: ChangeFlags,
): Promise<void> {
  if (flags.set === undefined && flags.unset === undefined) {
    throw usageError("patch requires --set field=value or --unset field", "latchkey patch --help");
  }
  await runChange(context, settings, flags, {
    verb: "patch",
    id,
    send: (entities, options) => entities.patch(id, options),
    summary: () => "patched",
  });
}
