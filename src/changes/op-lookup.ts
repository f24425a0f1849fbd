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

/** A change that was sent, and whose outcome is not known. */
export interface OpenOp {
  readonly location: MachineLocation;
  readonly id: string;
  readonly op: string;
  /** Server time in ms before the first attempt, as it was known then. */
  readonly sentMs: number;
  /** When the first attempt began, as `performance.now()` told it. */
  readonly beganAt: number;
  /** Server time in ms after which no attempt can be executed any more. */
  readonly untilMs: number;
}

/** There is not enough time to wait until an attempt that may be on its way can't be executed any more. */
export class StillOpenError extends Error {
  override readonly name = "StillOpenError";

  constructor(leftMs: number) {
    super(`an attempt before may be on its way for another ${Math.ceil(leftMs)} ms: allow more timeout`);
  }
}

const BATCH = 500;
const OP_SLOTS = [0, 1, 2, 3, 4];

/**
 * Asks the server what became of a change: waits until nothing of it can be executed any more, unless it was done.
 *
 * @throws StillOpenError, TimeUpError or the client's error, untouched, when there is no answer by then.
 */
export async function resolveOp(
  connection: Connection,
  asked: OpenOp,
  deadline: Deadline,
): Promise<Resolution> {
  // The clock may have been set back since it was looked at: then the first attempt was earlier by it.
  const clock = await retry(connection, deadline, "the server's clock", () => connection.clock.know());
  const open = { ...asked, sentMs: Math.min(asked.sentMs, clock.earliest(asked.beganAt)) };
  const what = `${open.location.machine} ${open.id} op ${open.op}`;
  const ask = <T>(question: (client: Valkey) => Promise<T>): Promise<T> =>
    retry(connection, deadline, what, () => question(connection.client));
  for (;;) {
    const { serverMs, ...ring } = await ask((client) => opInRing(client, open));
    const isSettled = serverMs > open.untilMs;
    if (ring.outcome === "DONE" || (ring.outcome === "NOTDONE" && isSettled)) return ring;
    const logged = await ask((client) => opInLog(client, open));
    if (logged.outcome === "DONE") return logged;
    if (isSettled) return { outcome: logged.outcome, current: ring.current };
    const leftMs = open.untilMs - serverMs + 1;
    if (leftMs > deadline.remainingMs) throw new StillOpenError(leftMs);
    await pause(Math.min(leftMs, LONGEST_TIMER_MS));
  }
}

/** What the entity itself remembers of an op, at one moment. */
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
  const done = OP_SLOTS.map((slot) => (hash[`op:${slot}`] ?? "").split(" ")).find(([name]) => name === op);
  if (done !== undefined) {
    const document = readReplay(location.machine, id, hash, Number(done[1]));
    return { outcome: "DONE", version: Number(done[1]), document, serverMs };
  }
  // Judged like in steps/guards.lua; of a hash that was damaged nothing can be told.
  const [, forgottenMs] = /^[0-4] (\d+)$/.exec(hash.ops ?? "0 0") ?? [];
  const livedBefore = hash.created !== undefined && new Date(sentMs).toISOString() > hash.created;
  const removedMs = livedBefore ? 0 : Number(removed ?? 0);
  const isForgotten = forgottenMs === undefined || Number(forgottenMs) >= sentMs || removedMs >= sentMs;
  const current = readEntity(location.machine, id, hash);
  return { outcome: isForgotten ? "FORGOTTEN" : "NOTDONE", current, serverMs };
}

/** What the event log holds of an op: every change since is there, unless it was trimmed away. */
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
