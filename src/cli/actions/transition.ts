import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { type ChangeFlags, runChange } from "./change.js";

/** Moves an entity to another state. @throws CliError USAGE for `--force` without `--reason` */
export async function transitionEntity(
  context: CliContext,
  settings: Settings,
  id: string,
  to: string,
  flags: ChangeFlags,
): Promise<void> {
  if (flags.force === true && flags.reason === undefined) throw usageError("--force requires --reason");
  await runChange(context, settings, flags, {
    id,
    to,
    send: (entities, options) => entities.transition(id, to, options),
    summary: (from, state) => `${from} -> ${state}`,
  });
}
