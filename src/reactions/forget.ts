import { checkFlag, checkOptions } from "../contract/arguments.js";
import { ReactionInUseError } from "../errors/reaction-in-use-error.js";
import { reactionScripts } from "../lua/reactions.js";
import { ask } from "../valkey/ask.js";
import { reactionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { runScript } from "../valkey/script.js";
import { checkReactionName } from "./settings.js";
import { type ReactionTotals, totalOf } from "./stats.js";

/** Options of `forgetReaction`. */
export interface ForgetOptions {
  /** Discards dead letters and unfinished events too. Live replicas prevent it nevertheless. @default false */
  readonly force?: boolean;
}

/** Contents of a reaction that was forgotten, over all partitions. */
export type ForgottenReaction = ReactionTotals;

/** The server notes for this long that a reaction was forgotten. Longer than any `takeOverAfter`. */
export const FORGOTTEN_KEPT_MS = 86_400_000;

const OPTIONS: readonly (keyof ForgetOptions)[] = ["force"];

/** Condition under which the script removes a partition, see lua/reactions/forget.lua. */
type Mode = "look" | "unused" | "force" | "all";

interface PartitionReply extends Omit<ReactionTotals, "name"> {
  readonly isForgotten: boolean;
  /** Number of live replicas. */
  readonly living: number;
}

/**
 * Removes everything that the server keeps of a reaction, in all partitions.
 *
 * @returns what was removed; null if the reaction does not exist
 * @throws ReactionInUseError if a replica of it is live, or, without `force`, if something is unfinished.
 */
export async function forget(
  { connection, location }: MachineStore,
  name: string,
  options: ForgetOptions,
): Promise<ForgottenReaction | null> {
  checkReactionName(name);
  checkOptions(options, OPTIONS);
  const { force = false } = options;
  checkFlag("force", force);
  const run = (partition: number, mode: Mode): Promise<PartitionReply | undefined> => {
    const { events, ...others } = reactionKeys(location, partition, name);
    const keys = [events, ...Object.values(others)];
    const args = [name, mode, String(FORGOTTEN_KEPT_MS)];
    return ask(connection.of(events), `forgetting reaction ${name}`, async (client) =>
      readForgetReply(await runScript(client, reactionScripts.forget, keys, args)),
    );
  };
  const partitions = Array.from({ length: location.partitions }, (_, partition) => partition);
  const parts = await Promise.all(partitions.map((partition) => run(partition, "look")));
  const before = new Map(
    parts.flatMap((part, partition) => (part === undefined ? [] : [[partition, part] as const])),
  );
  if (before.size === 0) return null;
  const total = totalOf(name, [...before.values()]);
  const living = Math.max(...[...before.values()].map((part) => part.living));
  if (living > 0 || (!force && total.pending + total.deadLetters > 0))
    throw new ReactionInUseError(location.machine, name, { ...total, living });
  // Replicas join the first partition first, so it decides for all: a replica that joins later finds nothing and ends.
  const remove = async (partition: number, mode: Mode): Promise<void> => {
    const part = await run(partition, mode);
    // Undefined after an earlier attempt whose reply was lost: it removed the partition.
    if (part !== undefined && !part.isForgotten) throw new ReactionInUseError(location.machine, name, part);
  };
  const [first = 0, ...others] = before.keys();
  await remove(first, force ? "force" : "unused");
  await Promise.all(others.map((partition) => remove(partition, "all")));
  connection.logger.info({ machine: location.machine, ...total }, "a reaction was forgotten");
  return total;
}

function readForgetReply(reply: unknown): PartitionReply | undefined {
  if (reply === null) return undefined;
  const [removed, living, pending, deadLetters, consumers, lag] = reply as [
    ...counts: [number, number, number, number, number],
    lag: number | null,
  ];
  return { isForgotten: removed === 1, living, pending, deadLetters, consumers, lag: lag ?? undefined };
}
