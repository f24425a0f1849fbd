import type { Valkey } from "iovalkey";
import { pairsOf } from "../contract/flat-reply.js";
import { type MachineLocation, reactionKeys } from "../valkey/keys.js";
import { createGroup } from "./group.js";

/** An event that a reaction gave up, or events that it never saw. */
export interface DeadLetter {
  /** Names it for `retry` and `drop`. */
  readonly id: string;
  /** The event's document as text; null where the log was trimmed past events that nobody had handled. */
  readonly text: string | null;
  /** Why it was given up. */
  readonly error: string;
  /** How often it was tried. */
  readonly tries: number;
  /** Server times in ms of the first and of the last try; of the first, undefined where there was none. */
  readonly firstMs: number | undefined;
  readonly lastMs: number;
  /** It waits to be tried again. */
  readonly isRetried: boolean;
}

/** The consumer that stands for nobody: what it has, the next replica takes over. */
const NOBODY = "retry";
const PAGE = 100;

type Ask = <T>(question: (client: Valkey) => Promise<T>) => Promise<T>;

/** A reaction's dead letters, oldest first in each partition. */
export async function* deadLetters(
  ask: Ask,
  location: MachineLocation,
  reaction: string,
): AsyncGenerator<DeadLetter, void> {
  for (let partition = 0; partition < location.partitions; partition += 1) {
    const { dead } = reactionKeys(location, partition, reaction);
    for (let from = "-"; ; ) {
      const entries = await ask((client) => client.xrange(dead, from, "+", "COUNT", PAGE));
      const [first, last] = [entries[0]?.[0], entries.at(-1)?.[0]];
      if (first === undefined || last === undefined) break;
      const open = await ask((client) => pendingIds(client, dead, reaction, first, last));
      for (const [id, fields] of entries) yield letterOf(`${partition}:${id}`, fields, open.has(id));
      from = `(${last}`;
    }
  }
}

/**
 * Gives dead letters back to the reaction, with all their tries before them. They stay until they are handled.
 *
 * @returns the ids that were; those of no dead letter, and of events that are lost, are left out
 */
export async function retryLetters(
  ask: Ask,
  location: MachineLocation,
  reaction: string,
  ids: readonly string[],
): Promise<string[]> {
  return each(location, ids, async (partition, inner) => {
    const { dead } = reactionKeys(location, partition, reaction);
    let wasThere = false; // of an attempt whose answer was lost
    return ask(async (client) => {
      const [entry] = await client.xrange(dead, inner, inner);
      if (entry === undefined || textOf(entry[1]) === undefined) return wasThere;
      wasThere = true;
      await createGroup(client, dead, reaction, "0");
      // One that a replica has by then stays with it: no letter was idle for so long.
      await client.xclaim(dead, reaction, NOBODY, Number.MAX_SAFE_INTEGER, inner, "FORCE", "JUSTID");
      return true;
    });
  });
}

/** Removes dead letters for good. @returns the ids that were there */
export async function dropLetters(
  ask: Ask,
  location: MachineLocation,
  reaction: string,
  ids: readonly string[],
): Promise<string[]> {
  return each(location, ids, async (partition, inner) => {
    const { dead } = reactionKeys(location, partition, reaction);
    let wasThere = false;
    return ask(async (client) => {
      wasThere ||= (await client.xrange(dead, inner, inner)).length > 0;
      await client.xdel(dead, inner);
      return wasThere;
    });
  });
}

async function each(
  { partitions }: MachineLocation,
  ids: readonly string[],
  work: (partition: number, inner: string) => Promise<boolean>,
): Promise<string[]> {
  const done: string[] = [];
  for (const id of ids) {
    const [, partition = "", inner = ""] = /^(\d{1,4}):(\d{1,20}-\d{1,20})$/.exec(id) ?? [];
    if (inner !== "" && Number(partition) < partitions && (await work(Number(partition), inner)))
      done.push(id);
  }
  return done;
}

async function pendingIds(
  client: Valkey,
  key: string,
  group: string,
  from: string,
  to: string,
): Promise<Set<string>> {
  const rows = (await client.xpending(key, group, from, to, PAGE)) as [id: string, ...unknown[]][];
  return new Set(rows.map(([id]) => id));
}

function textOf(fields: readonly string[]): string | undefined {
  return new Map(pairsOf(fields)).get("doc");
}

function letterOf(id: string, flat: readonly string[], isRetried: boolean): DeadLetter {
  const fields = new Map(pairsOf(flat));
  const lastMs = Number(fields.get("last"));
  const from = fields.get("lost");
  if (from !== undefined) {
    const count = fields.get("count");
    const what = count === "0" ? "events" : count === "1" ? "1 event" : `${count} events`;
    const error = `the log was trimmed past ${what} that nobody had handled, from ${from} to ${fields.get("to")}`;
    return { id, text: null, error, tries: 0, firstMs: undefined, lastMs, isRetried: false };
  }
  return {
    id,
    text: fields.get("doc") ?? null,
    error: fields.get("error") ?? "",
    tries: Number(fields.get("tries")),
    firstMs: Number(fields.get("first")),
    lastMs,
    isRetried,
  };
}
