import { manifest, type Operation, type Script, scripts } from "../../lua/index.js";

/** Commands that the client sends to connect and to load a script. */
const CONNECTION = ["client|setname", "info"];

/** Commands of clients that read, follow and subscribe. */
const READS =
  "exec exists hgetall hkeys hmget lrange multi subscribe time unsubscribe xinfo|stream xrange zcount zmscore zrangebyscore zscan zscore".split(
    " ",
  );

/** Commands that read reactions and dead letters. */
export const REACTION_READS: readonly string[] = ["xinfo|groups", "xlen", "xpending", "zrange"];

/** Commands of fsck. A scan of all keys also needs +scan, which exposes the names of all keys. */
export const FSCK_READS: readonly string[] = ["llen", "type", "zscore"];

/** Commands of stats. */
export const STATS_READS: readonly string[] = ["memory|usage", "xlen", "xrevrange", "zcard", "zrange"];

/** Commands that a reader does not need for entities and events. */
export const READER_EXTRAS: readonly string[] = [...REACTION_READS, ...FSCK_READS, ...STATS_READS];

/** Commands with which a reader sends all but the scripts. */
export const READER_COMMANDS: readonly string[] = [...CONNECTION, ...READS, ...READER_EXTRAS];

/** Commands that initialize a namespace. */
export const INIT: readonly string[] = ["hsetnx"];

/** Commands for durability on replicas. */
export const DURABILITY: readonly string[] = ["wait"];

/** Commands for durability on disk. CONFIG GET exposes passwords. */
export const FSYNC: readonly string[] = ["config|get", "waitaof"];

/** Commands that retry and drop dead letters, whose consumer group they create if it is missing. */
export const DEAD_LETTER_CHANGES: readonly string[] = ["xclaim", "xdel", "xgroup|create"];

/** Commands of `doctor`, `lua` and `fsck --deep`. Some of them expose the settings and users of the whole server. */
export const ADMINISTRATION: readonly string[] =
  "acl|dryrun acl|getuser config|get function|list function|load function|stats scan script|exists".split(
    " ",
  );

/** Commands with which a client of a cluster finds the nodes, follows a slot that migrates, and reads from replicas. */
export const CLUSTER: readonly string[] = ["asking", "cluster|info", "cluster|slots", "readonly"];

/** Commands with which the doctor checks a cluster, besides those that every client needs. */
export const CLUSTER_CHECKS: readonly string[] = ["cluster|countkeysinslot", "cluster|nodes"];

/** Commands with permissions for each subcommand. */
const CONTAINERS = ["XGROUP", "XINFO"];

/** Returns the commands that a script runs or checks, which the server compares with the caller's permissions. */
export function commandsIn({ text }: Pick<Script, "text">): readonly string[] {
  const calls = text.matchAll(/\b(?:call|may|add)\('([A-Z]+)'(?:, '([A-Z]+)')?/g);
  const names = [...calls].map(([, name = "", sub = ""]) =>
    (CONTAINERS.includes(name) ? `${name}|${sub}` : name).toLowerCase(),
  );
  return [...new Set(names)].sort();
}

/** Returns the commands that load and call scripts, each limited to the SHA-1 of one of them. */
export function scriptCalls(called: readonly Script[]): readonly string[] {
  return ["script|load", ...called.map((script) => `evalsha${suffix(script)}|${script.sha1}`)];
}

/** Returns the commands that call the functions of some operations, each limited to one name. */
export function functionCalls(operations: readonly Operation[]): readonly string[] {
  return operations.map((name) => `fcall${suffix(scripts[name])}|${manifest.operations[name].function}`);
}

/** A user who may only read may call no other than these. */
function suffix({ text }: Script): string {
  return text.startsWith("#!lua flags=no-writes") ? "_ro" : "";
}
