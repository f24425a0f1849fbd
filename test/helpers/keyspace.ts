import type { Valkey } from "iovalkey";
import { expect } from "vitest";

/** Commands that read a whole key of each type. */
const READ: Record<string, [command: string, ...args: string[]]> = {
  string: ["GET"],
  hash: ["HGETALL"],
  list: ["LRANGE", "0", "-1"],
  set: ["SMEMBERS"],
  zset: ["ZRANGE", "0", "-1", "WITHSCORES"],
  stream: ["XRANGE", "-", "+"],
};

/**
 * Returns what a server holds of a namespace: type, expiry and content of each key, byte for byte, and the number of all
 * keys. It does not use DUMP, which changes while a server rehashes.
 */
export async function keyspace(valkey: Valkey, namespace: string): Promise<Record<string, unknown>> {
  const keys = (await valkey.keys(`*${namespace}*`)).sort();
  const entries = await Promise.all(keys.map(async (key) => [key, await contents(valkey, key)] as const));
  return { ...Object.fromEntries(entries), "keys in all": await valkey.dbsize() };
}

/** Runs a call that must be rejected or fail, and checks that it wrote nothing. Returns the reply. */
export async function unchanged<Reply>(
  { valkey, namespace }: { valkey: Valkey; namespace: string },
  call: () => Promise<Reply>,
): Promise<Reply> {
  const before = await keyspace(valkey, namespace);
  const reply = await call();
  expect(await keyspace(valkey, namespace)).toEqual(before);
  return reply;
}

async function contents(valkey: Valkey, key: string): Promise<unknown> {
  const [type, expires] = await Promise.all([valkey.type(key), valkey.pexpiretime(key)]);
  const [command, ...args] = READ[type] ?? ["DUMP"];
  const reply = text(await valkey.callBuffer(command, key, ...args));
  const last = type === "stream" ? text(await valkey.callBuffer("XINFO", "STREAM", key)) : undefined;
  return { type, expires, last, reply: type === "hash" || type === "set" ? unordered(reply, type) : reply };
}

function text(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(text);
  return Buffer.isBuffer(reply) ? reply.toString("latin1") : reply;
}

function unordered(reply: unknown, type: string): unknown {
  if (!Array.isArray(reply)) return reply;
  const step = type === "hash" ? 2 : 1;
  const members = reply.flatMap((_, at) => (at % step === 0 ? [reply.slice(at, at + step).map(String)] : []));
  return members.sort((a, b) => (a.join() < b.join() ? -1 : 1));
}
