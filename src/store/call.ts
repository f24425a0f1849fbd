import { type Operation, scripts } from "../lua/index.js";
import type { CompiledMachine } from "../machine/compiled.js";
import type { Connection } from "../valkey/connection.js";
import { entityKeys, type Place } from "../valkey/keys.js";
import type { Logger } from "../valkey/logger.js";
import { runScript } from "../valkey/script.js";
import { callError, notConnected } from "./call-error.js";
import { checkId, newOp, optionWords, type TransitionOptions } from "./change-options.js";
import { explainRefusal } from "./explain.js";
import { type Result, readResult } from "./result.js";

/** Where the entities of one machine live, and how to reach them. */
export interface Store {
  readonly connection: Connection;
  readonly place: Place;
  /** The machine as this client knows it; the server's copy is what judges. */
  readonly definition: CompiledMachine;
}

/**
 * Sends one change of one entity, once.
 *
 * @param positionals what stands between the id and the options
 * @throws ContractError, NotExecutedError, OutcomeUnknownError or LayoutError; refusals are part of the result.
 */
export async function change<S extends string>(
  store: Store,
  operation: Exclude<Operation, "apply">,
  id: string,
  positionals: readonly string[],
  options: TransitionOptions,
): Promise<Result<S>> {
  const { place, connection, definition } = store;
  const op = options.op ?? newOp();
  const args = [checkId("id", id, 128), ...positionals, ...optionWords({ ...options, op })];
  const started = performance.now();
  let reply: unknown;
  try {
    // A client that has ended answers as if the connection had broken under the call.
    if (connection.client.status === "end")
      throw notConnected(operation, place.machine, id, connection.address);
    reply = await runScript(connection.client, scripts[operation], entityKeys(place, id), args);
  } catch (error) {
    const failure = callError(error, {
      operation,
      machine: place.machine,
      id,
      op,
      address: connection.address,
    });
    const durationMs = millisecondsSince(started);
    connection.logger.warn(
      { machine: place.machine, id, op, error: failure.message, durationMs },
      `${operation} failed`,
    );
    throw failure;
  }
  const asked = {
    ...options,
    machine: place.machine,
    id,
    definition,
    ...(positionals[0] !== undefined && { to: positionals[0] }),
  };
  const result = readResult<S>(reply, (refusal, current) => explainRefusal(asked, refusal, current));
  log(connection.logger, operation, place.machine, id, result, started);
  return result;
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
