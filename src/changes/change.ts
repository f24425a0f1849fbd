import { checkId, checkName, checkOptions, refuse } from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import type { ResolveOptions } from "../contract/resolution.js";
import { OutcomeUnknownError } from "../errors/outcome-errors.js";
import type { RejectedError } from "../errors/rejected-errors.js";
import { STATE_NAME } from "../machine/names.js";
import { contractError, hint, notMade } from "../valkey/ask.js";
import { Deadline } from "../valkey/deadline.js";
import { silentLogger } from "../valkey/logger.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { Attempts } from "./attempts.js";
import { explainRejection } from "./explain-rejection.js";
import { encodeFields } from "./field-json.js";
import type { Answer, Intent } from "./intent.js";
import { FailedAttempts, type OpenOp, resolveOp, StillOpenError } from "./op-lookup.js";
import {
  CREATE_OPTIONS,
  type CreateOptions,
  durabilityNeed,
  newOp,
  optionWords,
  PATCH_OPTIONS,
  type PatchOptions,
  REMOVE_OPTIONS,
  type RemoveOptions,
  TRANSITION_OPTIONS,
  type TransitionOptions,
  timeoutMs,
} from "./options.js";
import { acceptedResult, type Rejection, type Result, readResult, withCopies } from "./result.js";

const RESOLVE_OPTIONS: readonly (keyof ResolveOptions)[] = ["timeout"];

/** Creates an entity in the initial state of its machine, with its first own fields. */
export async function create<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  fields: object,
  options: CreateOptions,
): Promise<Result<S, F>> {
  checkOptions(options, CREATE_OPTIONS);
  return change<S, F>(store, "create", id, { ...options, set: fields });
}

/** Moves an entity to another state. */
export async function transition<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  to: S,
  options: TransitionOptions,
): Promise<Result<S, F>> {
  checkOptions(options, TRANSITION_OPTIONS);
  return change<S, F>(store, "transition", id, options, [checkName(STATE_NAME, to)]);
}

/** Changes own fields of an entity. Its state, `since` and timers stay. */
export async function patch<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  options: PatchOptions,
): Promise<Result<S, F>> {
  checkOptions(options, PATCH_OPTIONS);
  return change<S, F>(store, "patch", id, options);
}

/** Deletes an entity with its history. The event log keeps its events. */
export async function remove<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  options: RemoveOptions,
): Promise<Result<S, F>> {
  checkOptions(options, REMOVE_OPTIONS);
  return change<S, F>(store, "remove", id, options);
}

/**
 * Makes one change of one entity, retrying until the server replies or the time limit is reached.
 *
 * @param positional arguments of the script after the id; the first is the state to enter
 * @returns the result; a rejection is a result, not an error
 * @throws ContractError, NotExecutedError, OutcomeUnknownError or LayoutError
 */
export async function change<S extends string, F extends object>(
  store: MachineStore,
  operation: Intent["operation"],
  id: string,
  options: TransitionOptions,
  positional: readonly string[] = [],
): Promise<Result<S, F>> {
  const { location, connection, definition } = store;
  const { machine } = location;
  const startedAt = performance.now();
  const { op = newOp(), notAfter, dryRun: isDryRun = false } = options;
  const isImport = operation === "restore"; // its `seen` is not about attempts
  if (options.seen !== undefined && options.op === undefined && !isImport)
    refuse("seen requires op: it is a position before the first attempt");
  // Read before anything is awaited: the actor may be that of the caller's async context.
  const { set = {}, unset = [], actor = connection.actor() } = options;
  const start = [checkId("id", id, 128), ...positional];
  const fields = encodeFields(operation === "create" || isImport ? "fields" : "set", set);
  const words = [...start, ...optionWords(options, fields, actor)];
  if (operation === "patch" && fields.size + unset.length === 0)
    refuse("patch changes nothing: give fields in `set` or names in `unset`");
  const limitMs = timeoutMs(options, connection.timeoutMs);
  const durability = durabilityNeed(isDryRun ? { durability: "memory" } : options, connection.durability);
  const [seen, after] = isImport ? [undefined, options.seen] : [options.seen, undefined];
  const intent = {
    operation,
    id,
    op,
    words,
    timeoutMs: limitMs,
    notAfter,
    seen,
    after,
    durability,
    isDryRun,
  };
  let answer: Answer;
  try {
    answer = await new Attempts(store, intent).answer();
  } catch (error) {
    const failure = failureOf(error, store, `${operation} ${machine} ${id}`, limitMs);
    const fields = { machine, id, op, error: failure.message, durationMs: millisecondsSince(startedAt) };
    connection.logger.warn(fields, `${operation} failed`);
    throw failure;
  }
  const explain = (rejection: Rejection, current: Snapshot | null): RejectedError => {
    const [to] = positional;
    const written = { ...options, set: Object.fromEntries(fields) };
    const call = { ...written, machine, id, definition, ...(to !== undefined && { to }) };
    return explainRejection(call, rejection, current);
  };
  const result = withCopies<S, F>(
    "reply" in answer ? readResult<S, F>(answer.reply, explain) : acceptedResult(answer.document),
    durability.need,
    answer.copies,
  );
  if (connection.logger === silentLogger) return result;
  const { state, version } = (result.ok ? result.document : result.current) ?? {};
  const { outcome } = result;
  const entry = { machine, id, outcome, state, version, durationMs: millisecondsSince(startedAt) };
  if (isDryRun) connection.logger.debug(entry, `${operation} (dry run)`);
  else if (result.ok) connection.logger.info(entry, operation);
  else connection.logger.debug(entry, `${operation} rejected`);
  return result;
}

function millisecondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 1000) / 1000;
}

/** Makes the error of a change without an answer: NotExecutedError, or OutcomeUnknownError if it may have been applied. */
function failureOf(error: unknown, store: MachineStore, name: string, limitMs: number): Error {
  const { address } = store.connection;
  if (!(error instanceof FailedAttempts)) return notMade(error, name, address);
  const { last, open } = error;
  if (open === undefined) return notMade(last, name, address);
  const why = last instanceof StillOpenError ? last.message : `${address} did not report its outcome in time`;
  return unknownOpError(`the reply was lost, and ${why}; resolve it`, open, store, name, limitMs);
}

/** Makes the error of a change that may have been applied. It can be resolved as often as necessary. */
function unknownOpError(
  what: string,
  open: OpenOp,
  store: MachineStore,
  name: string,
  limitMs: number,
): OutcomeUnknownError {
  const { connection } = store;
  const { location, id, op, seen, untilMs: notAfter } = open;
  const message = `${name}: ${what} with resolve(), or repeat it with { op: "${op}", seen: "${seen}" }`;
  const identity = { machine: location.machine, id, op, seen, notAfter };
  return new OutcomeUnknownError(message, identity, async (options) => {
    checkOptions(options, RESOLVE_OPTIONS);
    const deadline = Deadline.in(timeoutMs(options, limitMs));
    try {
      return await resolveOp(connection, open, deadline);
    } catch (error) {
      const rejection = contractError(error, name);
      if (rejection !== undefined) throw rejection;
      const why = error instanceof StillOpenError ? error.message : hint(error, connection.address);
      throw unknownOpError(
        `its outcome is still unknown: ${why}; resolve it again`,
        open,
        store,
        name,
        limitMs,
      );
    }
  });
}
