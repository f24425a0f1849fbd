import type { Valkey } from "iovalkey";
import { type Operation, scripts } from "../lua/index.js";
import type { CompiledMachine } from "../machine/compiled.js";
import type { Connection } from "../valkey/connection.js";
import { classifyFailure, replyCode, safeMessage } from "../valkey/failure.js";
import { entityKeys, type Place } from "../valkey/keys.js";
import { LayoutError } from "../valkey/layout.js";
import type { Logger } from "../valkey/logger.js";
import { runScript } from "../valkey/script.js";
import { checkId, newOp, optionWords, type TransitionOptions } from "./change-options.js";
import { ContractError, NotExecutedError, OutcomeUnknownError } from "./errors.js";
import { explainRefusal } from "./explain.js";
import { type Result, readResult } from "./result.js";

/** Where the entities of one machine live, and how to reach them. */
export interface Store {
  readonly connection: Connection;
  readonly place: Place;
  /** The machine as this client knows it; the server's copy is what judges. */
  readonly definition: CompiledMachine;
}

/** The connection's client, for commands that are no scripts. */
export function clientOf(store: Store): Valkey {
  return store.connection.client;
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
    reply = await runScript(connection.client, scripts[operation], entityKeys(place, id), args);
  } catch (error) {
    throw callError(error, { operation, machine: place.machine, id, op, address: connection.address });
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
    durationMs: Math.round((performance.now() - started) * 1000) / 1000,
  };
  if (result.ok) logger.info(fields, operation);
  else logger.debug(fields, `${operation} refused`);
}

/** What a call was about, for its error. */
export interface CallContext {
  readonly operation: string;
  readonly machine: string;
  readonly id: string;
  readonly op: string;
  readonly address: string;
}

const CONTRACT_TEXTS: Record<string, string> = {
  NOMACHINE: "no such machine is installed in this namespace; apply it first",
};

/** What to do about error replies that the server gives before anything is executed. */
const HINTS: Record<string, string> = {
  OOM: "the server is out of memory",
  READONLY: "the server is a replica",
  NOPERM: "this user lacks a permission that the scripts need",
  NOAUTH: "the server wants credentials",
  BUSY: "the server is running a slow script",
  LOADING: "the server is loading its data",
  MISCONF: "the server can't save its data",
  NOREPLICAS: "too few replicas are connected to the server",
  MASTERDOWN: "the server is a replica without its primary",
  WRONGTYPE: "a key of this machine holds something else; something other than latchkey wrote it",
};

/** Turns a failed call into the error that says whether it may be repeated. Nothing of the call's text goes along. */
export function callError(error: unknown, context: CallContext): Error {
  const { operation, machine, id, op, address } = context;
  const code = replyCode(error);
  const name = `${operation} ${machine} ${id}`;
  switch (classifyFailure(error)) {
    case "refused": {
      if (code === "LAYOUT") {
        return new LayoutError(
          `${name}: the data was written by another version of latchkey, whose layout this one does not know`,
        );
      }
      return new ContractError(code, `${name}: ${CONTRACT_TEXTS[code] ?? safeMessage(error)}`);
    }
    case "not-executed": {
      const hint = HINTS[code] ?? (code === "" ? `not connected to ${address}` : safeMessage(error));
      return new NotExecutedError(
        `${name} was not executed: ${hint}${code === "" ? "" : ` (${safeMessage(error)})`}`,
        code,
      );
    }
    case "unknown":
      return new OutcomeUnknownError(
        `${name}: the answer was lost (${safeMessage(error)}); repeat it with op "${op}" to learn what became of it`,
        machine,
        id,
        op,
      );
  }
}
