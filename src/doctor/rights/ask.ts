import type { Valkey } from "iovalkey";
import { replyCode, safeMessage } from "../../valkey/failure.js";
import { hangUp } from "../../valkey/open-clients.js";
import type { DoctorContext } from "../context.js";
import { look, NotAllowed } from "../not-allowed.js";
import type { Sample } from "./samples.js";

/** What a user lacks for a call. */
export type Lack = "command" | "key" | "channel";

/** Whether a call would be allowed: what lacks first, or undefined where nothing does. */
type Ask = (sample: Sample) => Promise<Lack | undefined>;

/** These can't be queued in a transaction; alone they do nothing. */
const OUTSIDE = new Set(["MULTI", "EXEC", "SUBSCRIBE"]);

/**
 * Asks for each call whether this user might make it, and executes none. By ACL DRYRUN where that is allowed; else by
 * queueing the calls in a transaction, which checks rights at once, and hanging up.
 *
 * @throws NotAllowed where neither is possible.
 */
export async function lacksOf(
  context: DoctorContext,
  samples: readonly Sample[],
): Promise<(Lack | undefined)[]> {
  const { client } = context.connection;
  const dryRun: Ask = async (sample) =>
    lackIn(String(await look("acl|dryrun", () => client.call("ACL", "DRYRUN", context.user, ...sample))));
  try {
    return await each(samples, dryRun);
  } catch (error) {
    if (!(error instanceof NotAllowed)) throw error;
    return queueing(context, samples);
  }
}

async function queueing(context: DoctorContext, samples: readonly Sample[]): Promise<(Lack | undefined)[]> {
  const [queue, plain] = [await context.connection.open("doctor"), await context.connection.open("doctor")];
  try {
    await look("multi", () => queue.call("MULTI"));
    return await each(samples, (sample) => attempt(OUTSIDE.has(sample[0]) ? plain : queue, sample));
  } finally {
    hangUp(queue); // what was queued is forgotten
    hangUp(plain);
  }
}

async function attempt(client: Valkey, [command, ...args]: Sample): Promise<Lack | undefined> {
  try {
    await client.call(command, ...args);
    return undefined;
  } catch (error) {
    const code = replyCode(error);
    const text = safeMessage(error);
    // EXEC is refused as "EXECABORT … because of: NOPERM …".
    if (/\bNOPERM\b|^ERR unknown/.test(text)) return lackIn(text);
    // Rights are checked before everything else that may stand in the way: a replica, memory, no transaction.
    if (code === "") throw error;
    return undefined;
  }
}

async function each(samples: readonly Sample[], ask: Ask): Promise<(Lack | undefined)[]> {
  const lacks: (Lack | undefined)[] = [];
  for (const sample of samples) lacks.push(await ask(sample));
  return lacks;
}

/** Reads what the server says against a call. */
function lackIn(text: string): Lack | undefined {
  if (text === "OK") return undefined;
  if (/channel/i.test(text) && !/to run the/i.test(text)) return "channel";
  return /\bkeys?\b/i.test(text) && !/to run the/i.test(text) ? "key" : "command";
}
