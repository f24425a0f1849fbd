import { checkName, checkOptions, checkWhole, refuse, shortText } from "../contract/arguments.js";
import { STATE_NAME } from "../machine/names.js";
import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";
import { change } from "./change.js";
import { checkDefined, RESTORE_OPTIONS, type RestoreOptions } from "./options.js";
import type { Result } from "./result.js";

/** Creates an entity in any state, with its version, times and stamps. */
export async function restore<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  state: S,
  options: RestoreOptions,
): Promise<Result<S, F>> {
  checkOptions(options, RESTORE_OPTIONS);
  const { version, fields = {}, since, createdAt = since, ...others } = options;
  const { actor = store.connection.actor() ?? "" } = options; // read before anything is awaited
  checkName(STATE_NAME, state);
  checkWhole("version", version, 1, 9_999_999_999_999);
  checkDefined(options, ["createdAt", "since"]);
  const entered =
    since === undefined
      ? await serverMs(store, `restore ${store.location.machine} ${id}`)
      : timeMs("since", since);
  const created = createdAt === undefined ? entered : timeMs("createdAt", createdAt);
  if (created > entered) refuse("createdAt is later than since");
  const positional = [state, version, created, entered].map(String);
  return change<S, F>(store, "restore", id, { ...others, actor, set: fields }, positional);
}

async function serverMs({ connection }: MachineStore, name: string): Promise<number> {
  return (await ask(connection, name, readServerTime)).nowMs;
}

function timeMs(name: string, time: string): number {
  const ms = typeof time === "string" && /^\d{4}-\d\d-\d\dT.*Z$/.test(time) ? Date.parse(time) : Number.NaN;
  if (ms >= 0) return ms;
  refuse(`${name} must be a time such as "2026-01-31T08:30:00.000Z", not ${shortText(time)}`);
}
