import type { Valkey } from "iovalkey";
import { pairsOf } from "../contract/flat-reply.js";

/** The position before the first entry. */
export const START = "0-0";

/** One change in a stream. */
export interface StreamEntry {
  readonly id: string;
  readonly text: string;
}

/** Entries after a position of a stream. */
export interface Stretch {
  readonly entries: readonly StreamEntry[];
  /** Position before the oldest entry that is left, if entries after the requested position were trimmed. */
  readonly gap?: string;
}

interface StreamInfo {
  readonly lastId: string;
  /** True if entries were trimmed. */
  readonly isTrimmed: boolean;
}

type RawEntry = [id: string, fields: string[]];

/**
 * Reads up to `limit` entries after a position, and in the same transaction whether entries after it were trimmed. The
 * oldest entries are trimmed first, so nothing is missing if the position's own entry exists.
 */
export async function readBehind(client: Valkey, key: string, id: string, limit: number): Promise<Stretch> {
  const replies = await client
    .multi()
    .xrange(key, id, id)
    .xrange(key, `(${id}`, "+", "COUNT", limit)
    .xinfo("STREAM", key)
    .exec();
  const [own, behind] = (replies ?? []).slice(0, 2).map(([error, reply]) => {
    if (error !== null) throw error;
    return reply as RawEntry[];
  });
  const entries = (behind ?? []).map(([entry, fields]) => ({ id: entry, text: fields[1] ?? "" }));
  const info = readInfo(replies?.[2]);
  if (own?.length !== 0 || info === undefined) return { entries };
  const left = entries[0] === undefined ? info.lastId : justBefore(entries[0].id);
  const isGap = id === START ? info.isTrimmed : left !== id;
  return isGap ? { entries, gap: left } : { entries };
}

/** Returns the position before the oldest entry of a stream. */
export async function startOf(client: Valkey, key: string): Promise<string> {
  const replies = await client.multi().xrange(key, "-", "+", "COUNT", 1).xinfo("STREAM", key).exec();
  const info = readInfo(replies?.[1]);
  if (info === undefined || !info.isTrimmed) return START;
  const oldest = (replies?.[0]?.[1] as RawEntry[] | undefined)?.[0];
  return oldest === undefined ? info.lastId : justBefore(oldest[0]);
}

/** Returns the position of the newest entry of a stream. */
export async function endOf(client: Valkey, key: string): Promise<string> {
  const replies = await client.multi().xinfo("STREAM", key).exec();
  return readInfo(replies?.[0])?.lastId ?? START;
}

/** Reads a reply to XINFO STREAM; undefined if the stream does not exist. */
function readInfo(reply: readonly [Error | null, unknown] | undefined): StreamInfo | undefined {
  const [error, flat] = reply ?? [];
  if (isAbsent(error)) return undefined;
  if (error instanceof Error) throw error;
  if (!Array.isArray(flat)) return undefined;
  const facts = new Map<string, unknown>(pairsOf(flat));
  return {
    lastId: String(facts.get("last-generated-id")),
    isTrimmed: Number(facts.get("entries-added")) > Number(facts.get("length")),
  };
}

/** Returns the consumer groups of a stream, each as the facts of XINFO GROUPS; none if the stream does not exist. */
export async function streamGroups(client: Valkey, key: string): Promise<Map<string, unknown>[]> {
  try {
    return ((await client.xinfo("GROUPS", key)) as unknown[][]).map((flat) => new Map(pairsOf(flat)));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("ERR no such key");
}

/** Returns whether stream ID `a` is after `b`. */
export function isLater(a: string, b: string): boolean {
  const [[aMs = 0n, aSequence = 0n], [bMs = 0n, bSequence = 0n]] = [idParts(a), idParts(b)];
  return aMs > bMs || (aMs === bMs && aSequence > bSequence);
}

function idParts(id: string): bigint[] {
  return id.split("-").map(BigInt);
}

/** Returns the greatest stream ID before another one. */
function justBefore(id: string): string {
  const [ms = "0", sequence = "0"] = id.split("-");
  if (sequence !== "0") return `${ms}-${BigInt(sequence) - 1n}`;
  return ms === "0" ? START : `${BigInt(ms) - 1n}-18446744073709551615`;
}
