import type { Entities } from "../../entities.js";
import type { Connection } from "../../valkey/connection.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import { readServiceAgent } from "../input/service-agent.js";
import { type KeyPattern, type StoredValue, storedValues } from "../input/service-keys.js";
import { withPermissions } from "../permission-hint.js";
import { serverNow } from "../session.js";
import { type Imported, type ImportOptions, importAgent, isReplacement } from "./import-agent.js";
import { type Removal, removalsOf } from "./removals.js";

/** The result of one key. */
export interface ImportRow extends Imported {
  readonly key: string;
}

/** The entities to import into, and how. */
export interface ImportTarget {
  readonly entities: Entities;
  readonly store: MachineStore;
  readonly options: ImportOptions;
  readonly includeRemoved: boolean;
}

/** Number of agents that are imported at once. */
const GROUP = 32;

/**
 * Imports the agents of the in-process service, and yields the results in groups. A group can be empty, so that the caller
 * can end a long scan that finds nothing.
 *
 * @param source connection to the server that holds the keys
 * @throws NotExecutedError, OutcomeUnknownError or another error that concerns all agents; CliError if a permission is missing
 */
export async function* importService(
  target: ImportTarget,
  source: Connection,
  pattern: KeyPattern,
): AsyncGenerator<ImportRow[], void> {
  const { connection } = target.store;
  const pages = storedValues(source, pattern);
  for (;;) {
    const readRules = ["+scan", "+get", `%R~${pattern.match}`];
    const { done, value: page } = await withPermissions(source, readRules, () => pages.next());
    if (done === true) return;
    yield [];
    const groups = importPage(target, pattern, page);
    for (;;) {
      const group = await withPermissions(connection, ["+restore"], () => groups.next());
      if (group.done === true) break;
      yield group.value;
    }
  }
}

async function* importPage(
  target: ImportTarget,
  pattern: KeyPattern,
  page: readonly StoredValue[],
): AsyncGenerator<ImportRow[], void> {
  if (page.length === 0) return;
  const { entities, store, options, includeRemoved } = target;
  const nowMs = await serverNow(store);
  const ids = includeRemoved ? [] : page.map(({ key }) => pattern.idOf(key));
  const removals = await removalsOf(store, ids);
  const importValue = async ({ key, json, problem = "" }: StoredValue): Promise<ImportRow> => {
    const id = pattern.idOf(key);
    const agent = json === undefined ? problem : readServiceAgent(json, id, entities.definition, nowMs);
    if (json === undefined || typeof agent === "string")
      return { key, result: "invalid", message: `${agent}` };
    const removal = removals.get(id);
    if (removal !== undefined && !isReplacement(removal.op)) return { key, ...isRemoved(removal) };
    return { key, ...(await importAgent(entities, { key, json, agent }, options)) };
  };
  for (let at = 0; at < page.length; at += GROUP) {
    const results = await Promise.allSettled(page.slice(at, at + GROUP).map(importValue));
    yield results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}

function isRemoved({ at }: Removal): Imported {
  return { result: "removed", message: `removed here at ${at}; --include-removed imports it again` };
}
