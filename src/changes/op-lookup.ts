import type { Valkey } from "iovalkey";
import { parseChange, type Replay, readDocument, type Snapshot } from "../contract/document.js";
import { readReply } from "../contract/reply.js";
import type { Resolution } from "../contract/resolution.js";
import { scripts } from "../lua/index.js";
import type { Connection } from "../valkey/connection.js";
import { type Deadline, LONGEST_TIMER_MS } from "../valkey/deadline.js";
import { mayPass } from "../valkey/failure.js";
import { entityKeys, type MachineLocation, partitionKeys } from "../valkey/keys.js";
import { partitionOf } from "../valkey/partition.js";
import { pause } from "../valkey/real-time.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";
import { timeMs } from "../valkey/server-clock.js";
import { endOf, isLater, startOf } from "../valkey/stream.js";

/** An attempt at a change whose outcome is unknown. */
export interface OpenOp {
  readonly location: MachineLocation;
  readonly id: string;
  readonly op: string;
  /** Position of the event log before the first attempt. */
  readonly seen: string;
  /** True if the caller gave the position: another process may have repeated the change with another one. */
  readonly isShared: boolean;
  /** Server time in ms after which no attempt can be executed any more. */
  readonly untilMs: number;
}

/** No attempt got a reply in time. Not an Error, because thousands of calls can end at once, and stack traces take time. */
export class FailedAttempts {
  /** Failure of the last attempt. */
  readonly last: unknown;
  /** The attempt whose outcome is unknown; undefined if nothing was or will be executed. */
  readonly open: OpenOp | undefined;

  constructor(last: unknown, open: OpenOp | undefined) {
    this.last = last;
    this.open = open;
  }
}

/** An attempt may still be executed, for longer than the caller can wait. */
export class StillOpenError extends Error {
  override readonly name = "StillOpenError";

  constructor(leftMs: number) {
    super(`an earlier attempt may be executed for another ${Math.ceil(leftMs)} ms: allow more timeout`);
  }
}

/** Waits until the server's clock has passed `untilMs`. @throws StillOpenError if it will not until the deadline */
export async function waitUntilOver(client: Valkey, untilMs: number, deadline: Deadline): Promise<void> {
  for (;;) {
    const leftMs = untilMs + 1 - timeMs(await client.time());
    if (leftMs <= 0) return;
    if (leftMs > deadline.remainingMs) throw new StillOpenError(leftMs);
    // The caller's own timer keeps the process alive, until latchkey is closed.
    await pause(Math.min(leftMs, LONGEST_TIMER_MS), undefined, { ref: false });
  }
}

/**
 * Resolves the outcome of a change: waits until none of its attempts can be executed any more, unless one was applied.
 *
 * @throws StillOpenError, TimeUpError or the client's own error if the outcome is not known at the deadline
 */
export async function resolveOp(
  connection: Connection,
  open: OpenOp,
  deadline: Deadline,
): Promise<Resolution> {
  const what = `${open.location.machine} ${open.id} op ${open.op}`;
  const ask = <T>(question: (client: Valkey) => Promise<T>): Promise<T> =>
    retry(connection, deadline, what, question);
  const soon = await ask((client) => lookUp(client, open));
  if (soon.outcome !== "NOTDONE") return soon;
  return ask(async (client) => {
    await waitUntilOver(client, open.untilMs, deadline); // by the clock of the server that is asked then
    return lookUp(client, open);
  });
}

/** A version that no entity has. */
const NO_VERSION = "999999999999999";

/** Finds out if a change was applied so far. */
async function lookUp(client: Valkey, open: OpenOp): Promise<Resolution> {
  const { location, id, op, seen } = open;
  // The server judges the key of a call that it must reject. `remove` is answered even if the server is out of memory.
  const words = [id, "OP", op, "SEEN", seen, "IFVERSION", NO_VERSION, "DRYRUN"];
  let reply: unknown;
  try {
    reply = await runScript(client, scripts.remove, entityKeys(location, id), words);
  } catch (error) {
    // Damaged data does not hide that the change is in the event log.
    const logged = mayPass(error) ? undefined : await opInLog(client, open, null);
    if (logged?.outcome === "DONE") return logged;
    throw error;
  }
  const { outcome, text } = readReply(reply);
  if (outcome === "REPLAYED" && text !== null) {
    const document = readDocument<Replay>(text);
    return { outcome: "DONE", version: document.opVersion, document };
  }
  const current = text === null ? null : readDocument<Snapshot>(text);
  return outcome === "FORGOTTEN" ? opInLog(client, open, current) : { outcome: "NOTDONE", current };
}

const BATCH = 1_000;

/** Looks an idempotency key up in the event log, which holds every change unless it was trimmed. */
export async function opInLog(
  client: Valkey,
  open: Omit<OpenOp, "untilMs">,
  current: Snapshot | null,
): Promise<Resolution> {
  const { location, id, op, seen, isShared } = open;
  const { events } = partitionKeys(location, partitionOf(id, location.partitions));
  // An attempt is written after its SEEN. If the log ends before that, it lost the attempt too, and has only one that
  // carried another SEEN.
  if (isLater(seen, await endOf(client, events)))
    return { outcome: isShared ? "FORGOTTEN" : "NOTDONE", current };
  for (let after: string | undefined = seen; after !== undefined; ) {
    const entries: [id: string, fields: string[]][] = await client.xrange(
      ...([events, `(${after}`, "+", "COUNT", BATCH] as const),
    );
    for (const [, fields] of entries) {
      const text = fields[1] ?? "";
      if (!text.includes(`"op":"${op}"`)) continue;
      const document = parseChange(location.machine, text);
      if (typeof document !== "string" && document.op === op && document.id === id)
        return { outcome: "DONE", version: document.version, document };
    }
    after = entries.length < BATCH ? undefined : entries.at(-1)?.[0];
  }
  const isTrimmed = isLater(await startOf(client, events), seen);
  return { outcome: isTrimmed ? "FORGOTTEN" : "NOTDONE", current };
}
