import { createHash } from "node:crypto";
import type { Valkey } from "iovalkey";
import { pairsOf } from "../contract/flat-reply.js";
import { isError } from "../errors/is-error.js";

/** The position before the first entry. */
export const START = "0-0";

/** One entry of an event log. */
export interface StreamEntry {
  readonly id: string;
  /** The field `doc`; empty if the entry does not have it. */
  readonly text: string;
}

/** Entries that a reader can no longer get. */
export interface Gap {
  /** `"lost"`: the log does not contain what was read, as after a failover that lost the newest changes. */
  readonly reason: "trimmed" | "lost";
  /** Position before the oldest entry that is left. */
  readonly start: string;
}

/** Entries after a position of a stream. */
export interface Stretch {
  readonly entries: readonly StreamEntry[];
  /** Set if entries after the position were trimmed, or if the log lost the entry of the position. */
  readonly gap: Gap | undefined;
}

/** Facts of a stream. */
export interface StreamInfo {
  readonly lastId: string;
  readonly last: StreamEntry | undefined;
  /** Position before the oldest entry; the start if nothing was trimmed. */
  readonly start: string;
  /** Number of entries that were trimmed or removed. */
  readonly trimmed: number;
}

type RawEntry = [id: string, fields: string[]];

/**
 * Returns the position after an entry: its ID and a short hash of its text. After a failover, the server can give the ID
 * of a lost entry to another one. The hash shows the difference.
 *
 * @example positionAfter(entry); // "1763807223197-0@9f86d081"
 */
export function positionAfter({ id, text }: StreamEntry): string {
  return `${id}@${sha1(text).slice(0, 8)}`;
}

/** Returns the SHA-1 of a text, in hexadecimal digits. */
export function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** Returns the stream ID of a position. */
export function idOf(position: string): string {
  const at = position.indexOf("@");
  return at < 0 ? position : position.slice(0, at);
}

/**
 * Reads up to `limit` entries after a position, and in the same transaction whether entries after it are missing. A
 * position with a hash requires its entry. One without may lie between entries.
 */
export async function readBehind(
  client: Valkey,
  key: string,
  position: string,
  limit: number,
): Promise<Stretch> {
  const id = idOf(position);
  const replies = await client
    .multi()
    .xrange(key, id, id)
    .xrange(key, `(${id}`, "+", "COUNT", limit)
    .xinfo("STREAM", key)
    .exec();
  const [[own] = [], entries = []] = (replies ?? []).slice(0, 2).map(([error, reply]) => {
    if (error !== null) throw error;
    return (reply as RawEntry[]).map(readEntry);
  });
  return { entries, gap: gapAt(position, own, readInfo(replies?.[2])) };
}

function gapAt(
  position: string,
  own: StreamEntry | undefined,
  { start, lastId }: StreamInfo,
): Gap | undefined {
  const id = idOf(position);
  if (own !== undefined && (position === id || position === positionAfter(own))) return undefined;
  if (position === id && !isLater(start, id) && !isLater(id, lastId)) return undefined;
  return { reason: isLater(id, start) || start === START ? "lost" : "trimmed", start };
}

/** Returns the position before the oldest entry of a stream. */
export async function startOf(client: Valkey, key: string): Promise<string> {
  return (await streamInfo(client, key)).start;
}

/** Returns the ID up to which a stream has been written. */
export async function endOf(client: Valkey, key: string): Promise<string> {
  return (await streamInfo(client, key)).lastId;
}

/** Returns the position after the newest entry of a stream. It identifies the entry, unless that was trimmed. */
export async function endPositionOf(client: Valkey, key: string): Promise<string> {
  const { last, lastId } = await streamInfo(client, key);
  return last?.id === lastId ? positionAfter(last) : lastId;
}

/** Reads the facts of a stream. */
export async function streamInfo(client: Valkey, key: string): Promise<StreamInfo> {
  const reply = client.xinfo("STREAM", key).then(
    (facts) => [null, facts] as const,
    (error: Error) => [error, undefined] as const,
  );
  return readInfo(await reply);
}

/** Reads a reply to XINFO STREAM. A stream that does not exist is an empty one. */
function readInfo(reply: readonly [Error | null, unknown] | undefined): StreamInfo {
  const [error, flat] = reply ?? [];
  if (isError(error) && !isAbsent(error)) throw error;
  const facts = new Map<string, unknown>(Array.isArray(flat) ? pairsOf(flat) : []);
  const [first, last] = ["first-entry", "last-entry"].map(
    (name) => facts.get(name) as RawEntry | null | undefined,
  );
  const lastId = String(facts.get("last-generated-id") ?? START);
  const trimmed = Number(facts.get("entries-added") ?? 0) - Number(facts.get("length") ?? 0);
  const oldest = first ? justBefore(first[0]) : lastId;
  return { lastId, last: last ? readEntry(last) : undefined, start: trimmed > 0 ? oldest : START, trimmed };
}

function readEntry([id, fields]: RawEntry): StreamEntry {
  return { id, text: new Map(pairsOf(fields)).get("doc") ?? "" };
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
  return isError(error) && error.message.startsWith("ERR no such key");
}

/** Returns true if position `a` is after `b`. */
export function isLater(a: string, b: string): boolean {
  const [aMs, aSequence] = idParts(a);
  const [bMs, bSequence] = idParts(b);
  return aMs === bMs ? isGreater(aSequence, bSequence) : isGreater(aMs, bMs);
}

function idParts(position: string): [ms: string, sequence: string] {
  const id = idOf(position);
  const dash = id.indexOf("-");
  return dash < 0 ? [id, "0"] : [id.slice(0, dash), id.slice(dash + 1)];
}

/** Compares two whole numbers without leading zeros, of any length. */
function isGreater(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}

/** Returns the greatest stream ID before another one. */
export function justBefore(id: string): string {
  const [ms = "0", sequence = "0"] = id.split("-");
  if (sequence !== "0") return `${ms}-${BigInt(sequence) - 1n}`;
  return ms === "0" ? START : `${BigInt(ms) - 1n}-18446744073709551615`;
}
