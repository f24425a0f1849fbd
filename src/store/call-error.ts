import type { Valkey } from "iovalkey";
import type { Connection } from "../valkey/connection.js";
import { classifyFailure, replyCode, safeMessage } from "../valkey/failure.js";
import { LayoutError } from "../valkey/layout.js";
import { ContractError, NotExecutedError, OutcomeUnknownError } from "./errors.js";

/** What a call was about, for its error. */
export interface CallContext {
  readonly operation: string;
  readonly machine: string;
  readonly id: string;
  readonly op: string;
  readonly address: string;
}

/** What to do about the error replies that the scripts give themselves. */
const CONTRACT_TEXTS = new Map([
  ["NOMACHINE apply it first", "no such machine is installed in this namespace; apply it first"],
  ["BADARG field", "a stamp is the machine's to set; take it out of set and unset"],
  ["BADARG SET", "the entity would have more than 64 own fields, or more than 256 KiB of them; unset some"],
  [
    "BADARG MAP",
    "map must lead from states that were installed and are dropped now to states of the definition",
  ],
  ["BADARG states", "too many states were ever installed under this name; use another machine name"],
]);

/** What to do about error replies that the server gives before anything is executed. */
const HINTS = new Map([
  ["OOM", "the server is out of memory"],
  ["READONLY", "the server is a replica"],
  ["NOPERM", "this user lacks a permission that latchkey needs"],
  ["NOAUTH", "the server wants credentials"],
  ["BUSY", "the server is running a slow script"],
  ["LOADING", "the server is loading its data"],
  ["MISCONF", "the server can't save its data"],
  ["NOREPLICAS", "too few replicas are connected to the server"],
  ["MASTERDOWN", "the server is a replica without its primary"],
  ["WRONGTYPE", "a key of this machine holds something else; something other than latchkey wrote it"],
]);

/** What iovalkey says where a connection was lost, in words about its own options. */
const LOST = /max retries per request limit|^Connection is closed|Socket timeout/;

/** The error of a call that is not even tried, because there is no connection and will be none. */
export function notConnected(
  operation: string,
  machine: string,
  id: string,
  address: string,
): NotExecutedError {
  return new NotExecutedError(
    `${operation} ${machine} ${id} was not executed: not connected to ${address}`,
    "",
  );
}

/** Turns a failed call into the error that says whether it may be repeated. Nothing of the call's text goes along. */
export function callError(error: unknown, context: CallContext): Error {
  if (error instanceof NotExecutedError) return error;
  const { operation, machine, id, op, address } = context;
  const code = replyCode(error);
  const text = safeMessage(error);
  const name = `${operation} ${machine} ${id}`.trimEnd();
  switch (classifyFailure(error)) {
    case "refused": {
      if (code === "LAYOUT") {
        return new LayoutError(
          `${name}: the data was written by another version of latchkey, whose layout this one does not know`,
        );
      }
      return new ContractError(code, `${name}: ${CONTRACT_TEXTS.get(text) ?? text}`);
    }
    case "not-executed":
      return new NotExecutedError(`${name} was not executed: ${hint(error, address)}`, code);
    case "unknown":
      return new OutcomeUnknownError(
        `${name}: the answer was lost (${LOST.test(text) ? "the connection broke, or was silent for too long" : text}); repeat it with op "${op}" and with sent to learn what became of it`,
        machine,
        id,
        op,
      );
  }
}

/**
 * Asks the server something that changes nothing, or nothing that asking again would change.
 *
 * @param what the question, for the error
 * @throws NotExecutedError when there was no answer: ask again.
 */
export async function ask<T>(
  connection: Connection,
  what: string,
  question: (client: Valkey) => Promise<T>,
): Promise<T> {
  try {
    return await question(connection.client);
  } catch (error) {
    if (error instanceof LayoutError) throw error;
    throw new NotExecutedError(
      `${what} was not answered: ${hint(error, connection.address)}`,
      replyCode(error),
    );
  }
}

function hint(error: unknown, address: string): string {
  const known = HINTS.get(replyCode(error));
  if (known !== undefined) return `${known} (${safeMessage(error)})`;
  return classifyFailure(error) === "not-executed" && replyCode(error) === ""
    ? `not connected to ${address}`
    : safeMessage(error);
}
