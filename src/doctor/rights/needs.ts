import { scripts } from "../../lua/index.js";
import { reactionScripts } from "../../lua/reactions.js";

/** What this client sends besides scripts, whoever only looks: connecting, reading, following, subscribing. */
const READS =
  "client|setname exec hgetall hkeys hmget info lrange multi subscribe time xinfo|stream xrange xread zcount zmscore zrangebyscore".split(
    " ",
  );

/** What else it sends for those who change something: scripts, and preparing a namespace. */
const CHANGES = ["evalsha", "hset", "hsetnx", "script|load"];

/** What it sends for changes that ask for durability. */
export const WAITS: readonly string[] = ["wait", "waitaof"];

/** What it sends to tell of reactions and their dead letters. */
export const REACTION_READS: readonly string[] = ["xinfo|groups", "xlen", "xpending"];

/** What it sends to check index, timers and logs; walking over all keys takes +scan too, which tells all their names. */
export const CHECK_READS: readonly string[] = ["llen", "type", "zscan", "zscore"];

/** What it sends to count and weigh what is kept. */
export const STATS_READS: readonly string[] = ["memory|usage", "xlen", "zcard", "zrandmember"];

/** Commands whose rights are those of their subcommands. */
const CONTAINERS = ["XGROUP", "XINFO"];

/** The commands inside scripts: each inner command is checked against the caller's own rights. */
function commandsIn(texts: Readonly<Record<string, { readonly text: string }>>): string[] {
  return Object.values(texts).flatMap(({ text }) =>
    [...text.matchAll(/\bcall\('([A-Z]+)'(?:, '([A-Z]+)')?/g)].map(([, name = "", sub = ""]) =>
      (CONTAINERS.includes(name) ? `${name}|${sub}` : name).toLowerCase(),
    ),
  );
}

/** What it sends for all that is no reaction. */
const PLAIN = [...READS, ...CHANGES, ...WAITS, ...commandsIn(scripts)];

/** What it sends for reactions, and for nothing else. */
export const REACTS: readonly string[] = [
  ...new Set([...REACTION_READS, "xgroup|create", ...commandsIn(reactionScripts)]),
].filter((command) => !PLAIN.includes(command));

/** What it sends for checks, and for nothing else that changes or reads. */
export const CHECKS: readonly string[] = CHECK_READS.filter(
  (command) => ![...PLAIN, ...REACTS].includes(command),
);

/** What it sends for stats, and for nothing else. */
export const STATS: readonly string[] = STATS_READS.filter(
  (command) => ![...PLAIN, ...REACTS, ...CHECKS].includes(command),
);

/** The commands without which a reader still reads entities and follows them. */
export const READER_EXTRAS: readonly string[] = [...REACTION_READS, ...CHECK_READS, ...STATS_READS];

/** The commands that a reader needs, as ACL names them, in alphabetical order. */
export function readerCommands(): readonly string[] {
  return [...new Set([...READS, ...READER_EXTRAS])].sort();
}

/** The commands that a writer needs: a reader's, those of the scripts, to wait for replicas and disks, to react. */
export function writerCommands(): readonly string[] {
  return [...new Set([...PLAIN, ...READER_EXTRAS, ...REACTS])].sort();
}
