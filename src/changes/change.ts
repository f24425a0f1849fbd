import { checkOptions } from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import type { ResolveOptions } from "../contract/resolution.js";
import { OutcomeUnknownError } from "../errors/outcome-errors.js";
import type { RejectedError } from "../errors/rejected-errors.js";
import { contractError, notMade } from "../valkey/ask.js";
import { Deadline } from "../valkey/deadline.js";
import { hint } from "../valkey/hint.js";
import { entityKey } from "../valkey/keys.js";
import { silentLogger } from "../valkey/logger.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { performance } from "../valkey/real-time.js";
import { Attempts } from "./attempts.js";
import {
  type ChangeCall,
  createCall,
  patchCall,
  type ReadActor,
  rejectedCall,
  removeCall,
  transitionCall,
} from "./call.js";
import { explainRejection } from "./explain-rejection.js";
import type { Answer } from "./intent.js";
import { FailedAttempts, type OpenOp, resolveOp } from "./op-lookup.js";
import {
  type CreateOptions,
  durabilityNeed,
  newOp,
  type PatchOptions,
  type RemoveOptions,
  type TransitionOptions,
  timeoutMs,
} from "./options.js";
import { acceptedResult, type Rejection, type Result, readResult, withCopies } from "./result.js";

const RESOLVE_OPTIONS: readonly (keyof ResolveOptions)[] = ["timeout"];

/** Creates an entity in the initial state of its machine, with its first own fields. */
export function create<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  fields: object,
  options: CreateOptions,
): Promise<Result<S, F>> {
  return change<S, F>(store, (actor) => createCall(id, fields, options, actor));
}

/** Moves an entity to another state. */
export function transition<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  to: S,
  options: TransitionOptions,
): Promise<Result<S, F>> {
  return change<S, F>(store, (actor) => transitionCall(id, to, options, actor));
}

/** Changes own fields of an entity. Its state, `since` and timers stay. */
export function patch<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  options: PatchOptions,
): Promise<Result<S, F>> {
  return change<S, F>(store, (actor) => patchCall(id, options, actor));
}

/** Deletes an entity with its history. The event log keeps its events. */
export function remove<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  options: RemoveOptions,
): Promise<Result<S, F>> {
  return change<S, F>(store, (actor) => removeCall(id, options, actor));
}

/**
 * Makes one change of one entity, retrying until the server replies or the time limit is reached.
 *
 * @param read checks and encodes the arguments; called before anything is awaited
 * @returns the result; a rejection is a result, not an error
 * @throws ContractError, NotExecutedError, OutcomeUnknownError or LayoutError
 */
export async function change<S extends string, F extends object>(
  store: MachineStore,
  read: (readActor: ReadActor) => ChangeCall,
): Promise<Result<S, F>> {
  const { location, connection, definition } = store;
  const { machine } = location;
  const startedAt = performance.now();
  const call = read(connection.actor);
  const { operation, id, options, words } = call;
  const { op = newOp(), notAfter, dryRun: isDryRun = false } = options;
  const limitMs = timeoutMs(options, connection.timeoutMs);
  const durability = durabilityNeed(isDryRun ? { durability: "memory" } : options, connection.durability);
  // The `seen` of an import is not about attempts.
  const [seen, after] = operation === "restore" ? [undefined, options.seen] : [options.seen, undefined];
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
    const failure = failureOf(error, store, call, limitMs);
    const fields = { machine, id, op, error: failure.message, durationMs: millisecondsSince(startedAt) };
    connection.logger.warn(fields, `${operation} failed`);
    throw failure;
  }
  const explain = (rejection: Rejection, current: Snapshot | null): RejectedError =>
    explainRejection(rejectedCall(call, definition), rejection, current);
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
function failureOf(
  error: unknown,
  store: MachineStore,
  { operation, id }: ChangeCall,
  limitMs: number,
): Error {
  const { location } = store;
  const name = `${operation} ${location.machine} ${id}`;
  const { place } = store.connection.of(entityKey(location, id));
  const role = operation === "restore" ? "restorer" : "writer";
  if (!(error instanceof FailedAttempts)) return notMade(error, name, place, role);
  const { last, open } = error;
  if (open === undefined) return notMade(last, name, place, role);
  if (store.connection.isClosed) {
    const what = "latchkey was closed before the reply arrived; connect again, and repeat it";
    return unknownOpError(what, open, store, name, limitMs);
  }
  const what = `the reply was lost, and its outcome is unknown: ${hint(last, place)}; resolve it with resolve(), or repeat it`;
  return unknownOpError(what, open, store, name, limitMs);
}

/** Makes the error of a change that may have been applied. It can be resolved as often as necessary. */
function unknownOpError(
  what: string,
  open: OpenOp,
  store: MachineStore,
  name: string,
  limitMs: number,
): OutcomeUnknownError {
  const { location, id, op, seen, untilMs: notAfter } = open;
  const connection = store.connection.of(entityKey(location, id));
  const message = `${name}: ${what} with { op: "${op}", seen: "${seen}" }`;
  const identity = { machine: location.machine, id, op, seen, notAfter };
  return new OutcomeUnknownError(message, identity, async (options) => {
    checkOptions(options, RESOLVE_OPTIONS);
    const deadline = Deadline.in(timeoutMs(options, limitMs));
    try {
      return await resolveOp(connection, open, deadline);
    } catch (error) {
      const rejection = contractError(error, name);
      if (rejection !== undefined) throw rejection;
      throw unknownOpError(
        `its outcome is still unknown: ${hint(error, connection.place)}; resolve it again with resolve(), or repeat it`,
        open,
        store,
        name,
        limitMs,
      );
    }
  });
}
