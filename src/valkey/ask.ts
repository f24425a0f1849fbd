import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { ContractError, LatchkeyError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Connection } from "./connection.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { classifyFailure, isLoss, isOffline, replyCode, safeMessage } from "./failure.js";
import { retry } from "./retry.js";

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

/** The error of a change that the server could not be asked to make, or refused as malformed. */
export function notMade(error: unknown, name: string, address: string): Error {
  return (
    contractError(error, name) ??
    new NotExecutedError(`${name} was not executed: ${hint(error, address)}`, replyCode(error))
  );
}

/** The error of what a script itself refused as malformed; undefined for any other. */
export function contractError(error: unknown, name: string): Error | undefined {
  if (error instanceof LatchkeyError) return error;
  if (classifyFailure(error) !== "refused") return undefined;
  const code = replyCode(error);
  if (code === "LAYOUT") {
    return new LayoutError(
      `${name}: another version of latchkey wrote the data, in a layout unknown to this one`,
    );
  }
  const text = safeMessage(error);
  return new ContractError(
    code === "NOMACHINE" ? code : "BADARG",
    `${name}: ${CONTRACT_TEXTS.get(text) ?? text}`,
  );
}

/**
 * Asks the server something that changes nothing, or nothing that asking again would change. Asks again until there is
 * an answer, or the time of a call is over.
 *
 * @param what the question, for the error
 * @throws NotExecutedError when there was no answer, or none but a refusal: ask again.
 */
export async function ask<T>(
  connection: Connection,
  what: string,
  question: (client: Valkey) => Promise<T>,
  timeoutMs = connection.timeoutMs,
): Promise<T> {
  const deadline = Deadline.in(timeoutMs);
  return askOnce(connection, what, () =>
    retry(connection, deadline, what, () => question(connection.client)),
  );
}

/**
 * Asks the server once.
 *
 * @throws NotExecutedError if there was no reply, or an error reply; other errors of latchkey as they are
 */
export async function askOnce<T>(
  connection: Connection,
  what: string,
  question: () => Promise<T>,
): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof LatchkeyError && !(error instanceof ConnectError)) throw error;
    const reply = replyCode(error);
    const became = reply === "" ? "not answered" : "refused";
    throw new NotExecutedError(`${what} was ${became}: ${hint(error, connection.address)}`, reply);
  }
}

/** Why there was no answer, in words. */
export function hint(error: unknown, address: string): string {
  const known = HINTS.get(replyCode(error));
  if (known !== undefined) return `${known} (${safeMessage(error)})`;
  if (isOffline(error)) return `not connected to ${address}`;
  if (error instanceof TimeUpError) return `${address} did not answer in time`;
  if (isLoss(error)) return `the connection to ${address} was lost`;
  return safeMessage(error);
}
