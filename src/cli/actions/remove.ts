import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { type ChangeFlags, runChange } from "./change.js";

/** Deletes an entity. */
export async function removeEntity(
  context: CliContext,
  settings: Settings,
  id: string,
  flags: ChangeFlags,
): Promise<void> {
  await runChange(context, settings, flags, {
    verb: "remove",
    id,
    send: (entities, options) => entities.remove(id, options),
    summary: (_, state) => `removed, was ${state}`,
  });
}
