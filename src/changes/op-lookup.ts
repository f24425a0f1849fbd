import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { type Change, readDocument } from "../contract/document.js";
import { readEntity, readReplay } from "../contract/entity-hash.js";
import type { Resolution } from "../contract/resolution.js";
import type { Connection } from "../valkey/connection.js";
import { type Deadline, LONGEST_TIMER_MS } from "../valkey/deadline.js";
import { entityKey, type MachineLocation, partitionKeys } from "../valkey/keys.js";
import { partitionOf } from "../valkey/partition.js";
import { retry } from "../valkey/retry.js";
import { timeMs } from "../valkey/server-clock.js";
import { isLater, START, startOf } from "../valkey/stream.js";

/** An attempt at a change whose outcome is unknown. */
export interface OpenOp {
  readonly location: MachineLocation;
  readonly id: string;
  readonly op: string;
  /** Server time in ms before the first attempt, as it was estimated then. */
  readonly sentMs: number;
  /** Start of the first attempt, on the clock of `performance.now()`. */
  readonly beganAt: number;
  /** Server time in ms after which no attempt can be executed any more. */
  readonly untilMs: number;
}

/** No attempt got a reply in time. */
export class FailedAttempts extends Error {
  override readonly name = "FailedAttempts";
  /** Failure of the last attempt. */
  readonly last: unknown;
  /** The attempt whose outcome is unknown; undefined if nothing was or will be executed. */
  readonly open: OpenOp | undefined;

  constructor(last: unknown, open: OpenOp | undefined) {
    super("no attempt got a reply in time");
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

const BATCH = 500;
const OP_SLOTS = [0, 1, 2, 3, 4];

/**
 * Resolves the outcome of a change: waits until none of its attempts can be executed any more, unless one was applied.
 *
 * @throws StillOpenError, TimeUpError or the client's own error if the outcome is not known at the deadline
 */
export async function resolveOp(
  connection: Connection,
  attempt: OpenOp,
  deadline: Deadline,
): Promise<Resolution> {
  // If the clock was set back since the first attempt, that attempt was earlier by the new clock.
  const clock = await retry(connection, deadline, "the server's clock", () => connection.clock.know());
  const open = { ...attempt, sentMs: Math.min(attempt.sentMs, clock.earliest(attempt.beganAt)) };
  const what = `${open.location.machine} ${open.id} op ${open.op}`;
  const ask = <T>(question: (client: Valkey) => Promise<T>): Promise<T> =>
    retry(connection, deadline, what, () => question(connection.client));
  for (;;) {
    const { serverMs, ...ring } = await ask((client) => opInRing(client, open));
    const isSettled = serverMs > open.untilMs;
    if (ring.outcome === "DONE" || (ring.outcome === "NOTDONE" && isSettled)) return ring;
    const log = await ask((client) => opInLog(client, open));
    if (log.outcome === "DONE") return log;
    if (isSettled) return { outcome: log.outcome, current: ring.current };
    const leftMs = open.untilMs - serverMs + 1;
    if (leftMs > deadline.remainingMs) throw new StillOpenError(leftMs);
    await pause(Math.min(leftMs, LONGEST_TIMER_MS));
  }
}

/** Looks an idempotency key up in the entity itself, which remembers its last changes. Reads all keys at one moment. */
export async function opInRing(
  client: Valkey,
  open: OpenOp,
): Promise<Resolution & { readonly serverMs: number }> {
  const { location, id, op, sentMs } = open;
  const { machine } = partitionKeys(location, partitionOf(id, location.partitions));
  const replies = await client
    .multi()
    .hgetall(entityKey(location, id))
    .hget(machine, "removed")
    .time()
    .exec();
  const [hash, removed, time] = (replies ?? []).map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  }) as [Record<string, string>, string | null, [number, number]];
  const serverMs = timeMs(time);
  const slots = OP_SLOTS.map((slot) => (hash[`op:${slot}`] ?? "").split(" "));
  const version = slots.find(([key]) => key === op)?.[1];
  if (version !== undefined) {
    const document = readReplay(location.machine, id, hash, Number(version));
    return { outcome: "DONE", version: Number(version), document, serverMs };
  }
  // The same rules as in lua/steps. A damaged hash counts as one that has forgotten.
  const [, forgottenMs] = /^[0-4] (\d+)$/.exec(hash.ops ?? "0 0") ?? [];
  const livedBefore = hash.created !== undefined && new Date(sentMs).toISOString() > hash.created;
  const removedMs = livedBefore ? 0 : Number(removed ?? 0);
  const isForgotten = forgottenMs === undefined || Number(forgottenMs) >= sentMs || removedMs >= sentMs;
  const current = readEntity(location.machine, id, hash);
  return { outcome: isForgotten ? "FORGOTTEN" : "NOTDONE", current, serverMs };
}

/** Looks an idempotency key up in the event log, which holds every change unless it was trimmed. */
export async function opInLog(client: Valkey, open: OpenOp): Promise<Resolution> {
  const { location, id, op, sentMs } = open;
  const { events } = partitionKeys(location, partitionOf(id, location.partitions));
  const from = `${Math.max(0, sentMs - 1)}-0`;
  for (let after = from; ; ) {
    const entries = await client.xrange(events, `(${after}`, "+", "COUNT", BATCH);
    for (const [, fields] of entries) {
      const text = fields[1] ?? "";
      if (!text.includes(`"op":"${op}"`)) continue;
      const document = readDocument<Change>(text);
      if (document.op === op && document.id === id)
        return { outcome: "DONE", version: document.version, document };
    }
    const last = entries.at(-1);
    if (entries.length < BATCH || last === undefined) break;
    after = last[0];
  }
  const start = await startOf(client, events);
  const isWhole = start === START || !isLater(start, from);
  return { outcome: isWhole ? "NOTDONE" : "FORGOTTEN", current: null };
}
