import { scripts } from "../../lua/index.js";

/** What this client sends besides scripts, whoever only looks: connecting, reading, following, subscribing. */
const READS =
  "client|setname exec hgetall hkeys hmget info lrange multi subscribe time xinfo|stream xrange xread zcount zmscore zrangebyscore".split(
    " ",
  );

/** What else it sends for those who change something: scripts, and preparing a namespace. */
const CHANGES = ["evalsha", "hset", "hsetnx", "script|load"];

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

/** The commands that a writer needs: a reader's, and those of the scripts. */
export function writerCommands(): readonly string[] {
  return [...new Set([...READS, ...CHANGES, ...commandsInScripts()])].sort();
}
