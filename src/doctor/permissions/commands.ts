import { scripts } from "../../lua/index.js";
import { reactionScripts } from "../../lua/reactions.js";

/** Commands that a reader needs: to connect, read, follow and subscribe. */
const READS =
  "client|setname evalsha_ro exec exists hgetall hkeys hmget info lrange multi script|load subscribe time unsubscribe xinfo|stream xrange zcount zmscore zrangebyscore zscan zscore".split(
    " ",
  );

/** Commands that a writer sends in addition: to run scripts and to initialize a namespace. */
const CHANGES = ["evalsha", "hset", "hsetnx"];

/** Commands for durability. */
export const DURABILITY: readonly string[] = ["wait", "waitaof"];

/** Commands that read reactions and dead letters. */
export const REACTION_READS: readonly string[] = ["xinfo|groups", "xlen", "xpending", "zrange"];

/** Commands of fsck. A scan of all keys also needs +scan, which exposes the names of all keys. */
export const FSCK_READS: readonly string[] = ["llen", "type", "zscore"];

/** Commands of stats. */
export const STATS_READS: readonly string[] = ["memory|usage", "xlen", "xrevrange", "zcard", "zrange"];

/** Commands with permissions for each subcommand. */
const CONTAINERS = ["XGROUP", "XINFO"];

/** Returns the commands inside scripts, which the server checks against the caller's permissions. */
function commandsIn(texts: Readonly<Record<string, { readonly text: string }>>): string[] {
  return Object.values(texts).flatMap(({ text }) =>
    [...text.matchAll(/\bcall\('([A-Z]+)'(?:, '([A-Z]+)')?/g)].map(([, name = "", sub = ""]) =>
      (CONTAINERS.includes(name) ? `${name}|${sub}` : name).toLowerCase(),
    ),
  );
}

/** Commands for everything except reactions, fsck and stats. */
const PLAIN = [...READS, ...CHANGES, ...DURABILITY, ...commandsIn(scripts)];

/** Commands of reactions that changes do not need. */
export const REACTION_ONLY: readonly string[] = [
  ...new Set([...REACTION_READS, "xgroup|create", ...commandsIn(reactionScripts)]),
].filter((command) => !PLAIN.includes(command));

/** Commands of fsck that changes do not need. */
export const FSCK_ONLY: readonly string[] = FSCK_READS.filter((command) => !PLAIN.includes(command));

/** Commands of stats that changes do not need. */
export const STATS_ONLY: readonly string[] = STATS_READS.filter((command) => !PLAIN.includes(command));

/** Commands that a reader does not need for entities and events. */
export const READER_EXTRAS: readonly string[] = [...REACTION_READS, ...FSCK_READS, ...STATS_READS];

/** Returns the commands that a reader needs, as ACL names them, in alphabetical order. */
export function readerCommands(): readonly string[] {
  return [...new Set([...READS, ...READER_EXTRAS])].sort();
}

/** Returns the commands that a writer needs, as ACL names them, in alphabetical order. */
export function writerCommands(): readonly string[] {
  return [...new Set([...PLAIN, ...READER_EXTRAS, ...REACTION_ONLY])].sort();
}
