import { checkId, checkOptions } from "../contract/arguments.js";
import type { ResolveOptions, UnknownChange } from "../contract/resolution.js";
import { ContractError } from "../errors/latchkey-error.js";
import { OutcomeUnknownError } from "../errors/outcome-errors.js";
import type { Operation } from "../lua/index.js";
import { contractError, hint, notMade } from "../valkey/ask.js";
import { Deadline } from "../valkey/deadline.js";
import type { Logger } from "../valkey/logger.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { type Answer, Attempts, FailedAttempts } from "./attempts.js";
import { explainRejection } from "./explain-rejection.js";
import { type OpenOp, resolveOp, StillOpenError } from "./op-lookup.js";
import { durabilityNeed, newOp, optionWords, type TransitionOptions, timeoutMs } from "./options.js";
import { doneBefore, type Result, readResult, withCopies } from "./result.js";

const RESOLVE_OPTIONS: ReadonlySet<string> = new Set<keyof ResolveOptions>(["timeout"]);

/**
 * Makes one change of one entity: tries until there is an answer, or the time is over.
 *
 * @param positionals what stands between the id and the options
 * @throws ContractError, NotExecutedError, OutcomeUnknownError or LayoutError; refusals are part of the result.
 */
export async function change<S extends string>(
  store: MachineStore,
  operation: Exclude<Operation, "apply">,
  id: string,
  positionals: readonly string[],
  options: TransitionOptions,
): Promise<Result<S>> {
  const { location, connection, definition } = store;
  const started = performance.now();
  if (options.sent !== undefined && options.op === undefined)
    throw new ContractError("BADARG", "sent tells when an op was tried before: give op as well");
  const { op = newOp() } = options; // null is no op, and is refused
  const words = [checkId("id", id, 128), ...positionals, ...optionWords({ ...options, op })];
  const limitMs = timeoutMs(options, connection.timeoutMs);
  const durability = durabilityNeed(options, connection.durability);
  const { notAfter, sent } = options;
  let answer: Answer;
  try {
    const intent = { operation, id, op, words, timeoutMs: limitMs, notAfter, sent, durability };
    answer = await new Attempts(connection, location, intent).answer();
  } catch (error) {
    const failure = failed(error, store, `${operation} ${location.machine} ${id}`, limitMs);
    const durationMs = millisecondsSince(started);
    connection.logger.warn(
      { machine: location.machine, id, op, error: failure.message, durationMs },
      `${operation} failed`,
    );
    throw failure;
  }
  const asked = {
    ...options,
    machine: location.machine,
    id,
    definition,
    ...(positionals[0] !== undefined && { to: positionals[0] }),
  };
  const judged: Result<S> =
    "reply" in answer
      ? readResult<S>(answer.reply, (refusal, current) => explainRejection(asked, refusal, current))
      : doneBefore<S>(answer.done);
  const result = withCopies(judged, durability.need, answer.copies);
  log(connection.logger, operation, location.machine, id, result, started);
  return result;
}

/** The error of a change that no attempt could settle, which says whether it may have happened. */
function failed(error: unknown, store: MachineStore, name: string, limitMs: number): Error {
  const { address } = store.connection;
  if (!(error instanceof FailedAttempts)) return notMade(error, name, address);
  const { last, open } = error;
  if (open === undefined) return notMade(last, name, address);
  const why =
    last instanceof StillOpenError
      ? last.message
      : `${address} could not be asked in time whether it was done`;
  return unknown(`the answer was lost, and ${why}; ask`, open, store, name, limitMs);
}

/** The error of a change that may have happened, and which can be asked about, as often as it takes. */
function unknown(
  what: string,
  open: OpenOp,
  store: MachineStore,
  name: string,
  limitMs: number,
): OutcomeUnknownError {
  const { connection } = store;
  const text = `${name}: ${what} with resolve(), or repeat it with op "${open.op}" and sent ${open.sentMs}`;
  return new OutcomeUnknownError(text, unknownChange(open), async (options) => {
    checkOptions(options, RESOLVE_OPTIONS);
    const deadline = Deadline.in(timeoutMs(options, limitMs));
    try {
      return await resolveOp(connection, open, deadline);
    } catch (error) {
      const refused = contractError(error, name);
      if (refused !== undefined) throw refused;
      const why = error instanceof StillOpenError ? error.message : hint(error, connection.address);
      throw unknown(`what became of it can't be told yet: ${why}; ask again`, open, store, name, limitMs);
    }
  });
}

function log(
  logger: Logger,
  operation: string,
  machine: string,
  id: string,
  result: Result,
  started: number,
): void {
  const document = result.ok ? result.document : result.current;
  const fields = {
    machine,
    id,
    outcome: result.outcome,
    state: document?.state,
    version: document?.version,
    durationMs: millisecondsSince(started),
  };
  if (result.ok) logger.info(fields, operation);
  else logger.debug(fields, `${operation} refused`);
}

function millisecondsSince(started: number): number {
  return Math.round((performance.now() - started) * 1000) / 1000;
}

function unknownChange({ location, id, op, sentMs, untilMs }: OpenOp): UnknownChange {
  return { machine: location.machine, id, op, sent: sentMs, notAfter: untilMs };
}
