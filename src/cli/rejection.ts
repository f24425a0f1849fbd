import type { Snapshot } from "../contract/document.js";
import type { Entities } from "../entities.js";
import { IllegalTransitionError, MissingFieldError, RejectedError } from "../errors/rejected-errors.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { CliError } from "./cli-error.js";
import type { Settings } from "./input/settings.js";
import { ageText } from "./output/ages.js";
import { entryInto, originText } from "./output/changes.js";
import { nextSteps, setOptions } from "./output/next-steps.js";
import { serverNow } from "./session.js";
import { commandFor } from "./shell-command.js";

/** A call that may be rejected. */
export interface CallContext {
  readonly entities: Entities;
  readonly store: MachineStore;
  readonly settings: Settings;
  /** The state to enter, if the call moves the entity. */
  readonly to?: string | undefined;
}

/**
 * Adds to a rejection how long the entity has been in its state, who moved it there, and the commands that are possible.
 *
 * @returns any other error unchanged
 */
export async function explained(error: unknown, call: CallContext): Promise<unknown> {
  if (!(error instanceof RejectedError)) return error;
  const { entities, settings, to } = call;
  const { code, message, machine, id, current } = error;
  const steps = current === null ? [] : nextSteps(entities.definition, current, settings);
  const lines = current === null ? [] : await entryLines(current, call);
  if (steps.length > 0 && error instanceof IllegalTransitionError) {
    lines.push("allowed transitions:", ...steps.map(({ command }) => `  ${command}`));
  }
  const facts = {
    ...{ machine, id, from: current?.state ?? null, to, allowed: steps.map((step) => step.to) },
    ...(error instanceof MissingFieldError && { fields: error.fields }),
    current,
  };
  return new CliError(code, message, { lines, hint: rejectionHint(error, call), facts }, error);
}

function rejectionHint(error: RejectedError, { settings, to }: CallContext): string {
  const { id } = error;
  if (error.code === "NOTFOUND") return commandFor(settings, "list");
  if (error instanceof MissingFieldError) {
    const sets = setOptions(error.fields);
    if (to !== undefined) return commandFor(settings, "transition", [id, to], sets);
    if (error.current === null) return commandFor(settings, "create", [id], sets);
  }
  return commandFor(settings, "get", [id]);
}

/** Describes since when the entity is in its state, and why. A failure here must not hide the rejection. */
async function entryLines(current: Snapshot, { entities, store }: CallContext): Promise<string[]> {
  try {
    const [changes, nowMs] = await Promise.all([entities.history(current.id), serverNow(store)]);
    const age = ageText(nowMs - Date.parse(current.since));
    const entry = entryInto(current, changes);
    const origin = entry === undefined ? "" : `, ${originText(entry)}`;
    return [`it has been ${current.state} for ${age}${origin}`];
  } catch {
    return [];
  }
}
