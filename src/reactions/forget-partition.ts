import type { Valkey } from "iovalkey";
import { reactionScripts } from "../lua/reactions.js";
import { type MachineLocation, reactionKeys } from "../valkey/keys.js";
import { runScript } from "../valkey/script.js";

/** What the server kept of a reaction, over all partitions. */
export interface ForgottenReaction {
  readonly name: string;
  /** Changes in the log that it had not been given, whatever their type; undefined where the server can't tell. */
  readonly lag: number | undefined;
  /** Events that it was given and had not finished. */
  readonly pending: number;
  readonly deadLetters: number;
  /** Replicas that were noted and had not left. */
  readonly consumers: number;
}

/** What became of it: `living` is how many replicas stood in the way. */
export interface Forgetting extends ForgottenReaction {
  readonly isForgotten: boolean;
  readonly living: number;
}

/** One partition's part of the same. */
type Part = Omit<Forgetting, "name">;

/** For so long the server notes that a reaction was forgotten. Longer than any `takeOverAfter`. */
export const FORGOTTEN_KEPT_MS = 86_400_000;

type Ask = <T>(question: (client: Valkey) => Promise<T>) => Promise<T>;

/**
 * Removes all that the server keeps of a reaction, in all partitions, unless a replica of it lives, or, where it is not
 * forced, something of it is unfinished.
 *
 * @returns undefined where there is nothing of it
 */
export async function forgetReaction(
  ask: Ask,
  location: MachineLocation,
  name: string,
  isForced: boolean,
): Promise<Forgetting | undefined> {
  const found: (readonly [partition: number, part: Part])[] = [];
  for (let partition = 0; partition < location.partitions; partition += 1) {
    const part = await ask((client) => forget(client, location, partition, name, "look"));
    if (part !== undefined) found.push([partition, part]);
  }
  if (found.length === 0) return undefined;
  const before = together(
    name,
    found.map(([, part]) => part),
  );
  if (before.living > 0 || (!isForced && before.pending + before.deadLetters > 0)) return before;
  // Replicas come to the first partition first, so that one decides for all: whoever comes later finds it gone and ends.
  let how: How = isForced ? "force" : "unused";
  for (const [partition] of found) {
    const part = await ask((client) => forget(client, location, partition, name, how));
    // Nothing of it is left where an earlier attempt removed it, and its answer was lost.
    if (part !== undefined && !part.isForgotten) return { name, ...part };
    how = "all";
  }
  return { ...before, isForgotten: true };
}

type How = "look" | "unused" | "force" | "all";
type RawPart = [number, number, number, number, number, lag: number | null];

async function forget(
  client: Valkey,
  location: MachineLocation,
  partition: number,
  name: string,
  how: How,
): Promise<Part | undefined> {
  const { events, dead, held, seen, rules } = reactionKeys(location, partition, name);
  const words = [name, how, String(FORGOTTEN_KEPT_MS)];
  const reply = await runScript(client, reactionScripts.forget, [events, dead, held, seen, rules], words);
  if (reply === null) return undefined;
  const [removed, living, pending, deadLetters, consumers, lag] = reply as RawPart;
  return { isForgotten: removed === 1, living, pending, deadLetters, consumers, lag: lag ?? undefined };
}

/** Each replica takes part in all partitions. */
function together(name: string, parts: readonly Part[]): Forgetting {
  const sum = (of: (part: Part) => number): number => parts.reduce((all, part) => all + of(part), 0);
  const most = (of: (part: Part) => number): number => Math.max(...parts.map(of));
  return {
    name,
    isForgotten: false,
    lag: parts.some(({ lag }) => lag === undefined) ? undefined : sum(({ lag }) => lag ?? 0),
    pending: sum(({ pending }) => pending),
    deadLetters: sum(({ deadLetters }) => deadLetters),
    consumers: most(({ consumers }) => consumers),
    living: most(({ living }) => living),
  };
}
