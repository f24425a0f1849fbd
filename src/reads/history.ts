import type { Valkey } from "iovalkey";
import { checkId, checkWhole } from "../contract/arguments.js";
import { readDocument } from "../contract/document.js";
import type { JsonValue } from "../machine/json-value.js";
import { ask, type EntityReadOptions, limited } from "../valkey/ask.js";
import { logKey } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";

/** Describes one change of an entity, without the entity itself. */
export interface HistoryEntry<S extends string = string> {
  /** Position of the change in the event log. */
  readonly position: string;
  /** Name of the event, such as `agent.running`. */
  readonly type: string;
  /** The previous state; null if the change created or restored the entity. */
  readonly from: S | null;
  readonly state: S;
  readonly version: number;
  readonly timestamp: string;
  readonly actor?: string;
  readonly reason?: string;
  /** True if the transition was forced. */
  readonly forced?: boolean;
  /** Own fields that were written, stamps included: with their values, or their names only if the values are large. */
  readonly set?: Readonly<Record<string, JsonValue>> | readonly string[];
  /** Names of own fields that were removed. */
  readonly unset?: readonly string[];
  readonly op?: string;
}

/** Options of `history`. */
export interface HistoryOptions extends EntityReadOptions {
  /** Maximum number of changes, counted from the newest. @default the `history` of the machine, which is the most */
  readonly limit?: number;
}

/** Reads an entity's last changes, oldest first. @param options a number is the `limit` */
export async function history<S extends string>(
  store: MachineStore,
  id: string,
  options: HistoryOptions | number = {},
): Promise<HistoryEntry<S>[]> {
  const given = typeof options === "number" ? { limit: options } : options;
  const { connection, location, definition, ...limits } = limited(store, given, ["limit", "reads"]);
  const { limit = definition.history } = given;
  checkWhole("limit", limit, 1);
  const key = logKey(location, checkId("id", id, 128));
  const length = 2 * Math.min(limit, definition.history);
  const read = (client: Valkey): Promise<string[]> => client.lrange(key, -length, -1);
  return readHistory<S>(await ask(connection.of(key), `history ${location.machine} ${id}`, read, limits));
}

/** Parses an entity's log: two elements per change, its record and its idempotency key. */
export function readHistory<S extends string>(log: readonly string[]): HistoryEntry<S>[] {
  return log.flatMap((record, at) => {
    if (at % 2 === 1) return [];
    const op = log[at + 1] ?? "";
    return [readDocument<HistoryEntry<S>>(op === "" ? record : `${record.slice(0, -1)},"op":"${op}"}`)];
  });
}
