import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { type ChangeFlags, runChange } from "./change.js";

/** Options of `restore`. */
export interface RestoreFlags extends ChangeFlags {
  readonly atVersion: number;
  readonly created?: string;
  readonly since?: string;
}

/** Creates an entity in any state, with its version and times. */
export async function restoreEntity(
  context: CliContext,
  settings: Settings,
  id: string,
  state: string,
  { atVersion: version, created, since, ...flags }: RestoreFlags,
): Promise<void> {
  const times = {
    ...(created !== undefined && { createdAt: created }),
    ...(since !== undefined && { since }),
  };
  const own = { version, ...times };
  await runChange(context, settings, flags, {
    id,
    to: state,
    send: (entities, { set, ...options }) =>
      entities.restore(id, state, { ...options, ...own, ...(set !== undefined && { fields: set }) }),
    summary: () => `restored, ${state}`,
  });
}
