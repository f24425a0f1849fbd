import { dueAt } from "../../src/contract/due-at.js";
import { parseCompiledMachine, partitionOf } from "../../src/index.js";
import { admin } from "./calls.js";

/** Names the keys of a test's entities. */
export interface Home {
  readonly namespace: string;
  readonly partitions: number | undefined;
}

/** Makes the server believe that an entity entered its state at `sinceMs`, so that no test waits for time to pass. */
export async function enteredAt(
  home: Home,
  { name }: { name: string },
  id: string,
  sinceMs: number,
): Promise<void> {
  const valkey = await admin();
  const prefix = `{${home.namespace}:${partitionOf(id, home.partitions ?? 1)}}:${name}:`;
  const [score, times] = await Promise.all([
    valkey.zscore(`${prefix}index`, id),
    valkey.hget(`${prefix}id:${id}`, "times:ms"),
  ]);
  if (score === null || times === null) throw new Error(`There is no ${id} to make older`);
  const [changed, since, renewed] = times.split(" ");
  await valkey.hset(`${prefix}id:${id}`, "times:ms", `${changed} ${sinceMs} ${renewed}`);
  await valkey.zadd(`${prefix}index`, Number(score) - Number(since) + sinceMs, id);
}

/** One more hour, so that short timers have been due for a month too. */
const MONTH = 30 * 86_400_000 + 3_600_000;

/** Makes an entity a month old: it entered its state then, and its timer has been due since as planned. */
export async function runOut(home: Home, machine: { name: string }, id: string): Promise<void> {
  const valkey = await admin();
  const [seconds] = await valkey.time();
  const since = Number(seconds) * 1000 - MONTH;
  await enteredAt(home, machine, id, since);
  const prefix = `{${home.namespace}:${partitionOf(id, home.partitions ?? 1)}}:${machine.name}:`;
  const [state, text] = await Promise.all([
    valkey.hget(`${prefix}id:${id}`, "state"),
    valkey.hget(`${prefix}machine`, "definition"),
  ]);
  const timed = text === null ? undefined : parseCompiledMachine(text).states[state ?? ""];
  const due = timed && dueAt(timed, since);
  await valkey.zadd(`${prefix}due`, due !== undefined && due <= since + MONTH ? due : since, id);
}
