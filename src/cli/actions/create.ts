import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { type ChangeFlags, runChange } from "./change.js";

/** Creates an entity. */
export async function createEntity(
  context: CliContext,
  settings: Settings,
  id: string,
  flags: ChangeFlags,
): Promise<void> {
  await runChange(context, settings, flags, {
    verb: "create",
    id,
    send: (entities, { set, ...options }) => entities.create(id, set, options),
    summary: (_, state) => `created, ${state}`,
  });
}
