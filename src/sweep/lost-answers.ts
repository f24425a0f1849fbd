import { NotExecutedError } from "../errors/outcome-errors.js";
import { ask } from "../valkey/ask.js";
import { logKey } from "../valkey/keys.js";
import { isLater, START, startOf } from "../valkey/stream.js";
import { type SweepPart, sweepOf } from "./partition.js";

/** So many entries of the log are read at once. */
const STEP = 1_000;

/** What became of attempts whose answers were lost. */
export interface LostChanges {
  /** The newest change that a timer made, by id, as text. */
  readonly found: ReadonlyMap<string, string>;
  /** False where there may have been more: the event log was trimmed meanwhile, or can't be read. */
  readonly isWhole: boolean;
}

/**
 * Finds the changes that timers made since: in the entities' own logs, and for those that are gone or have had many
 * changes since in the event log. It can't tell whose attempt made them.
 *
 * @param sinceMs server time before the first attempt, by id
 */
export async function lostChanges(
  part: SweepPart,
  sinceMs: ReadonlyMap<string, number>,
): Promise<LostChanges> {
  const found = new Map<string, string>();
  const logs = await Promise.all([...sinceMs.keys()].map((id) => readOwn(part, id)));
  for (const [at, [id, ms]] of [...sinceMs].entries()) {
    const text = logs[at]?.findLast((change) => isTimers(change, ms));
    if (text !== undefined) found.set(id, text);
  }
  const rest = new Map([...sinceMs].filter(([id]) => !found.has(id)));
  if (rest.size === 0) return { found, isWhole: true };
  const reading = readLog(part, Math.min(...rest.values()), (text) => {
    const id = /^\{"type":"[^"]*","machine":"[^"]*","id":"([^"]*)"/.exec(text)?.[1] ?? "";
    const ms = rest.get(id);
    if (ms !== undefined && isTimers(text, ms)) found.set(id, text);
  });
  return { found, isWhole: await orElse(reading, false) };
}

/** The changes that an entity's own log holds, oldest first. */
async function readOwn(part: SweepPart, id: string): Promise<string[]> {
  const key = logKey(part.location, id);
  return orElse(
    ask(part.connection, sweepOf(part), (client) => client.lrange(key, 0, -1)),
    [],
  );
}

/** An answer, or what stands for it where this key can't be read: it is damaged, or this user may not. */
async function orElse<T>(answer: Promise<T>, other: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const isOfKey = error instanceof NotExecutedError && ["WRONGTYPE", "NOPERM", "ERR"].includes(error.reply);
    if (isOfKey) return other;
    throw error;
  }
}

/** Whether a timer made a change, at `ms` or later. */
function isTimers(text: string, ms: number): boolean {
  if (!text.includes('"actor":"latchkey"')) return false;
  const [, timestamp = "", rest = ""] =
    /"timestamp":"([^"]*)","since":"[^"]*","createdAt":"[^"]*",(.*)/s.exec(text) ?? [];
  const isMadeByOne = /^"actor":"latchkey","reason":"(timeout|lease|retention) of /.test(rest);
  return isMadeByOne && Date.parse(timestamp) >= ms;
}

/** Reads a partition's event log from `ms` (server time) on. @returns false where some of it is gone */
async function readLog(part: SweepPart, ms: number, see: (text: string) => void): Promise<boolean> {
  const { connection, keys } = part;
  const from = `${Math.max(0, ms - 1)}-0`;
  for (let after = from; ; ) {
    const entries = await ask(connection, sweepOf(part), (client) =>
      client.xrange(keys.events, `(${after}`, "+", "COUNT", STEP),
    );
    for (const [, fields] of entries) see(fields[1] ?? "");
    const last = entries.at(-1);
    if (last === undefined || entries.length < STEP) break;
    after = last[0];
  }
  const start = await ask(connection, sweepOf(part), (client) => startOf(client, keys.events));
  return start === START || !isLater(start, from);
}
