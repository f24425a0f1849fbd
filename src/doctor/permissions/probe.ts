import type { Valkey } from "iovalkey";
import { replyCode, safeMessage } from "../../valkey/failure.js";
import { hangUp } from "../../valkey/open-clients.js";
import type { DoctorContext } from "../context.js";
import { CheckDeniedError, query } from "../query.js";
import type { Sample } from "./samples.js";

/** The kind of permission that a call lacks. */
export type PermissionKind = "command" | "key" | "channel";

/** The first permission that each call lacks; undefined for a call that is allowed. */
type Missing = (PermissionKind | undefined)[];

/** Commands that cannot be queued in a transaction; alone they have no effect. */
const OUTSIDE = new Set(["MULTI", "EXEC", "SUBSCRIBE"]);

/**
 * Checks the user's permissions for calls without executing them: by ACL DRYRUN if that is allowed, else by queueing the
 * calls in a transaction, for which the server checks permissions at once, and disconnecting.
 *
 * @throws CheckDeniedError if neither is allowed
 */
export async function missingFor(context: DoctorContext, samples: readonly Sample[]): Promise<Missing> {
  const { client } = context.connection;
  try {
    return await inOrder(samples, async (sample) =>
      missingIn(await query("acl|dryrun", () => dryRun(client, context.user, sample))),
    );
  } catch (error) {
    if (!(error instanceof CheckDeniedError)) throw error;
    return queue(context, samples);
  }
}

/** Returns `OK` or what the user lacks. A command that the server does not have, such as WAITAOF, needs no permission. */
async function dryRun(client: Valkey, user: string, sample: Sample): Promise<string> {
  try {
    return String(await client.call("ACL", "DRYRUN", user, ...sample));
  } catch (error) {
    if (/^ERR Command '.*' not found/.test(safeMessage(error))) return "OK";
    throw error;
  }
}

async function queue({ connection }: DoctorContext, samples: readonly Sample[]): Promise<Missing> {
  const [transaction, plain] = [await connection.open("doctor"), await connection.open("doctor")];
  try {
    await query("multi", () => transaction.call("MULTI"));
    return await inOrder(samples, (sample) =>
      sendSample(OUTSIDE.has(sample[0]) ? plain : transaction, sample),
    );
  } finally {
    hangUp(transaction); // the server discards the queued calls
    hangUp(plain);
  }
}

async function sendSample(client: Valkey, [command, ...args]: Sample): Promise<PermissionKind | undefined> {
  try {
    await client.call(command, ...args);
    return undefined;
  } catch (error) {
    const text = safeMessage(error);
    // EXEC fails with "EXECABORT … because of: NOPERM …".
    if (/\bNOPERM\b/.test(text)) return missingIn(text);
    // Any other reply comes after the permission check.
    if (replyCode(error) === "") throw error;
    return undefined;
  }
}

async function inOrder(
  samples: readonly Sample[],
  check: (sample: Sample) => Promise<PermissionKind | undefined>,
): Promise<Missing> {
  const missing: Missing = [];
  for (const sample of samples) missing.push(await check(sample));
  return missing;
}

/** Reads the reply of ACL DRYRUN or an error text. */
function missingIn(text: string): PermissionKind | undefined {
  if (text === "OK") return undefined;
  if (/to run the/i.test(text)) return "command";
  return /channel/i.test(text) ? "channel" : /\bkeys?\b/i.test(text) ? "key" : "command";
}
