import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { ContractError, LatchkeyError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Connection } from "./connection.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { classifyFailure, isLoss, isOffline, replyCode, safeMessage } from "./failure.js";
import { missingPermission } from "./permission.js";
import { retry } from "./retry.js";

/** Texts of the scripts' own error replies. */
const CONTRACT_TEXTS = new Map([
  ["NOMACHINE apply it first", "the machine is not installed in this namespace; apply it first"],
  ["BADARG field", "stamps are managed by the machine and cannot be set or unset; omit the field"],
  ["BADARG SET", "the entity would exceed 64 own fields or 256 KiB; unset some"],
  ["BADARG UNSET", "at most 64 fields can be unset in one call"],
  ["BADARG to", "the machine has no such state"],
  ["BADARG created", "createdAt must be before the year 2286, and not after since"],
  ["BADARG since", "since must be after 2001-09-09, not before createdAt, and not in the future"],
  ["BADARG version", "the version must be from 1 to 999999999999"],
  ["BADARG SEEN", "seen is too far ahead: give the end of the log that the entity comes from"],
  ["BADARG MAP", "map must map states that the new version drops to states that it has"],
  ["BADARG states", "too many states were installed under this machine name; use another name"],
]);

/** Texts of error replies that the server gives before it executes anything. */
const HINTS = new Map([
  ["OOM", "the server is out of memory"],
  ["READONLY", "the server is a replica"],
  ["NOAUTH", "authentication required; give a user and a password"],
  ["BUSY", "the server is running a slow script"],
  ["LOADING", "the server is loading its data"],
  ["MISCONF", "the server cannot save its data"],
  ["NOREPLICAS", "too few replicas are connected to the server"],
  ["MASTERDOWN", "the server is a replica without its primary"],
  ["WRONGTYPE", "wrong key type: not written by latchkey"],
]);

/** Converts the failure of a change that was not executed. */
export function notMade(error: unknown, name: string, address: string): Error {
  return (
    contractError(error, name) ??
    new NotExecutedError(`${name} was not executed: ${hint(error, address)}`, serverCode(error))
  );
}

/** Converts the rejection of a malformed call by a script; undefined for other failures. */
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
 * Asks the server a question that is safe to repeat. Retries until there is a reply, or the timeout has passed.
 *
 * @param what name of the question, for the error
 * @throws NotExecutedError if there was no reply, or an error reply
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
    const reply = serverCode(error);
    const became = reply === "" ? "not answered" : "rejected";
    throw new NotExecutedError(`${what} was ${became}: ${hint(error, connection.address)}`, reply);
  }
}

/** Returns the code of an error reply. A denial inside a script has one too. */
function serverCode(error: unknown): string {
  return missingPermission(safeMessage(error)) === undefined ? replyCode(error) : "NOPERM";
}

/** Explains why a call got no reply. */
export function hint(error: unknown, address: string): string {
  const missing = missingPermission(safeMessage(error));
  if (missing !== undefined)
    return `${missing.text}; \`latchkey doctor\` prints the ACL line that grants it (${missing.code})`;
  const known = HINTS.get(replyCode(error));
  if (known !== undefined) return `${known} (${safeMessage(error)})`;
  if (isOffline(error)) return `not connected to ${address}`;
  if (error instanceof TimeUpError) return `${address} did not answer in time`;
  if (isLoss(error)) return `the connection to ${address} was lost`;
  return safeMessage(error);
}
