import { scripts } from "../../lua/index.js";

/** What this client sends besides scripts, whoever only looks: connecting, reading, following, subscribing. */
const READS =
  "client|setname exec hgetall hkeys hmget info lrange multi subscribe time xinfo|stream xrange xread zcount zmscore zrangebyscore".split(
    " ",
  );

/** What else it sends for those who change something: scripts, and preparing a namespace. */
const CHANGES = ["evalsha", "hset", "hsetnx", "script|load"];

/** What it sends for changes that ask for durability. */
export const WAITS: readonly string[] = ["wait", "waitaof"];

/** The commands inside the scripts: each inner command is checked against the caller's own rights. */
function commandsInScripts(): string[] {
  return Object.values(scripts).flatMap(({ text }) =>
    [...text.matchAll(/\bcall\('([A-Z]+)'/g)].map(([, name = ""]) => name.toLowerCase()),
  );
}

/** The commands that a reader needs, as ACL names them, in alphabetical order. */
export function readerCommands(): readonly string[] {
  return [...READS].sort();
}

/** The commands that a writer needs: a reader's, those of the scripts, and to wait for replicas and disks. */
export function writerCommands(): readonly string[] {
  return [...new Set([...READS, ...CHANGES, ...WAITS, ...commandsInScripts()])].sort();
}
