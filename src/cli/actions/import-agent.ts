import { isDeepStrictEqual } from "node:util";
import type { Result } from "../../changes/result.js";
import { ownFields, type Snapshot } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import { ContractError } from "../../errors/latchkey-error.js";
import { NotExecutedError } from "../../errors/outcome-errors.js";
import { stateOf } from "../../machine/compiled.js";
import { sha1 } from "../../valkey/stream.js";
import type { ServiceAgent } from "../input/service-agent.js";

/**
 * Result of one key.
 * - `imported`: created here.
 * - `updated`: it was imported before, has changed in the service since, and not here: replaced.
 * - `skipped`: this value was imported before, or an entity with the same content exists.
 * - `removed`: it was removed here.
 * - `conflict`: an entity with other content exists.
 * - `invalid`: the value cannot be imported.
 */
export const IMPORT_RESULTS = ["imported", "updated", "skipped", "removed", "conflict", "invalid"] as const;

/** One of {@link IMPORT_RESULTS}. */
export type ImportResult = (typeof IMPORT_RESULTS)[number];

/** The result of one key, with its reason if people should know it. */
export interface Imported {
  readonly result: ImportResult;
  readonly message?: string;
}

/** An agent and where it comes from. */
export interface ImportSource {
  readonly key: string;
  /** The stored value. */
  readonly json: string;
  readonly agent: ServiceAgent;
}

/** Options of the changes that an import makes. */
export interface ImportOptions {
  readonly actor: string;
  readonly dryRun: boolean;
}

/** Start of the idempotency keys of imports. */
const MARK = "import:";
/** End of the idempotency keys of removals that make room for a newer value. */
const REPLACED = ":replaced";

/** The version of an imported agent. The service counted no changes, so the import is the first. */
const VERSION = 1;

/** Returns true for the idempotency key of a removal that an import made, to restore the entity at once. */
export function isReplacement(op: string | undefined): boolean {
  return op?.startsWith(MARK) === true && op.endsWith(REPLACED);
}

/**
 * Imports one agent. The idempotency key is made of the key and its value, so that a repeated import of the same value has
 * no effect, whatever happened to the entity since.
 *
 * @throws NotExecutedError, OutcomeUnknownError or another error that concerns all agents
 */
export async function importAgent(
  entities: Entities,
  source: ImportSource,
  options: ImportOptions,
): Promise<Imported> {
  try {
    const result = await restore(entities, source, options);
    if (result.ok) return result.outcome === "OK" ? imported(source, "imported") : { result: "skipped" };
    const { outcome, current, error } = result;
    if (outcome === "EXISTS" && current !== null) return await meet(entities, source, options, current);
    return { result: outcome === "MISSING" ? "invalid" : "conflict", message: error.message };
  } catch (error) {
    const isOwn = error instanceof ContractError && error.code === "BADARG";
    const isDamage = error instanceof NotExecutedError && error.reply === "WRONGTYPE";
    if (!isOwn && !isDamage) throw error;
    return { result: "invalid", message: error.message.replace(/^(?:restore \S+ \S+: |set\.)/, "") };
  }
}

function restore(
  entities: Entities,
  { key, json, agent }: ImportSource,
  options: ImportOptions,
): Promise<Result> {
  const { id, state, fields, times } = agent;
  const op = opOf(key, json);
  const reason = `imported from ${key}`;
  return entities.tryRestore(id, state, { ...options, ...times, op, reason, fields, version: VERSION });
}

/** Decides about an agent whose ID exists, although this value was not imported or is forgotten. */
async function meet(
  entities: Entities,
  source: ImportSource,
  options: ImportOptions,
  current: Snapshot,
): Promise<Imported> {
  const { key, json, agent } = source;
  if (hasContent(entities, current, agent)) return { result: "skipped" };
  const { id } = agent;
  const changes = await entities.history(id);
  const isFromKey = changes.some(({ op }) => op?.startsWith(opOf(key)) === true);
  const now = `${current.state}, version ${current.version}`;
  if (!isFromKey) return { result: "conflict", message: `the ID exists with other content (${now})` };
  if (current.version !== VERSION) {
    const message = `the agent has changed here (${now}) and in the service since it was imported`;
    return { result: "conflict", message };
  }
  if (!options.dryRun) {
    // Only the replaced service has changed it. A restore needs a free ID.
    const op = opOf(key, json) + REPLACED;
    const reason = `${key} has changed since the import`;
    const removed = await entities.tryRemove(id, { ...options, op, reason, ifVersion: VERSION });
    if (!removed.ok) return { result: "conflict", message: removed.error.message };
    const restored = await restore(entities, source, options);
    if (!restored.ok) return { result: "conflict", message: restored.error.message };
  }
  return imported(source, "updated");
}

function imported({ agent: { notes } }: ImportSource, result: ImportResult): Imported {
  return { result, ...(notes.length > 0 && { message: notes.join("; ") }) };
}

/** Returns true if an entity is what the import would create. */
function hasContent({ definition }: Entities, current: Snapshot, { state, fields }: ServiceAgent): boolean {
  if (current.state !== state) return false;
  const stamp = stateOf(definition, state)?.stamp;
  const { [stamp ?? ""]: stamped, ...own } = ownFields(current);
  const given = stamp !== undefined && Object.hasOwn(fields, stamp);
  return isDeepStrictEqual(given ? { ...own, [stamp]: stamped } : own, fields);
}

/** Returns the idempotency key of a value, or the start of all those of a key. */
function opOf(key: string, json?: string): string {
  return `${MARK}${sha1(key).slice(0, 16)}:${json === undefined ? "" : sha1(json).slice(0, 20)}`;
}
