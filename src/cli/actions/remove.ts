import { type ChangeAction, runChange } from "./change.js";

/** Deletes an entity. */
export const removeEntity: ChangeAction = async (context, settings, id, flags) => {
  await runChange(context, settings, flags, {
    id,
    send: (entities, options) => entities.remove(id, options),
    summary: (_, state) => `removed, was ${state}`,
  });
};
