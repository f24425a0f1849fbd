import { isUtf8 } from "node:buffer";
import type { Valkey } from "iovalkey";
import { ask, runQuestion } from "../../valkey/ask.js";
import type { Connection } from "../../valkey/connection.js";
import { Deadline } from "../../valkey/deadline.js";
import { replyCode } from "../../valkey/failure.js";
import { usageError } from "../cli-error.js";

/** Number of keys that a SCAN examines in one step: most of them belong to something else. */
const STEP = 500;

/** The keys in which the in-process service stored its agents. */
export interface KeyPattern {
  readonly text: string;
  /** The pattern for MATCH, in which only the `*` is special. */
  readonly match: string;
  /** Returns the ID that a key names. */
  idOf(key: string): string;
}

/** Reads a pattern of keys, such as `orchestrator:agent:*`. @throws CliError USAGE unless it has exactly one `*` */
export function keyPattern(text: string): KeyPattern {
  const [prefix = "", suffix, more] = text.split("*");
  if (suffix === undefined || more !== undefined || text === "*") {
    const message = `--from-service must be a key with * in place of the ID, not "${text}"`;
    throw usageError(message, "--from-service 'orchestrator:agent:*'");
  }
  const match = [prefix, suffix].map((part) => part.replace(/[?[\]\\^]/g, "\\$&")).join("*");
  return { text, match, idOf: (key) => key.slice(prefix.length, key.length - suffix.length) };
}

/** A key and its value, or the reason why its value is not a text. */
export interface StoredValue {
  readonly key: string;
  readonly json?: string;
  readonly problem?: string;
}

/**
 * Yields the values of all keys that match, each once, in pages of one SCAN step. Keys that exist throughout are never
 * missed: if the connection is lost, another server may answer, to which a cursor means nothing, so the scan starts again.
 *
 * @throws NotExecutedError if the server does not reply, or the user lacks the permission for SCAN or GET
 */
export async function* storedValues(
  connection: Connection,
  { match }: KeyPattern,
): AsyncGenerator<StoredValue[], void> {
  const known = new Set<string>();
  const deadline = Deadline.in(connection.timeoutMs);
  // Each server of a cluster scans its own keys.
  const servers = await runQuestion(connection, "SCAN", () => connection.readyServers(deadline));
  for (const server of servers) yield* valuesAt(server, match, known);
}

/** Yields the values at one server, without keys that are known. Adds them to the known ones. */
async function* valuesAt(
  connection: Connection,
  match: string,
  known: Set<string>,
): AsyncGenerator<StoredValue[], void> {
  let { epoch } = connection;
  for (let cursor = "0"; ; ) {
    const [next, page] = await ask(connection, "SCAN", (client) =>
      client.scan(cursor, "MATCH", match, "COUNT", STEP),
    );
    if (connection.epoch !== epoch) {
      ({ epoch } = connection);
      cursor = "0";
      continue;
    }
    const keys = [...new Set(page)].filter((key) => !known.has(key));
    const values = await ask(connection, "GET", (client) =>
      Promise.all(keys.map((key) => storedValue(client, key))),
    );
    for (const key of keys) known.add(key);
    yield values.flat();
    if (next === "0") return;
    cursor = next;
  }
}

/** Reads the value of a key; none if the key was removed since the scan. */
async function storedValue(client: Valkey, key: string): Promise<StoredValue[]> {
  if (key.includes("\ufffd")) return [{ key, problem: "the key is not valid UTF-8" }];
  try {
    const value = await client.getBuffer(key);
    if (value === null) return [];
    return [isUtf8(value) ? { key, json: value.toString() } : { key, problem: "not valid UTF-8" }];
  } catch (error) {
    if (replyCode(error) === "WRONGTYPE") return [{ key, problem: "the key does not hold a string" }];
    throw error;
  }
}
