import { type ChangeAction, runChange } from "./change.js";

/** Creates an entity. */
export const createEntity: ChangeAction = async (context, settings, id, flags) => {
  await runChange(context, settings, flags, {
    id,
    send: (entities, { set, ...options }) => entities.create(id, set, options),
    summary: (_, state) => `created, ${state}`,
  });
};
