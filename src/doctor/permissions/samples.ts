import { reactionScripts } from "../../lua/reactions.js";
import {
  channelOf,
  entityKeys,
  type MachineLocation,
  machinesKey,
  metaKey,
  reactionKeys,
} from "../../valkey/keys.js";

/** The words of a call. It is only checked, never executed. */
export type Sample = readonly [command: string, ...args: string[]];

/** The id in all calls. */
const ID = "latchkey-doctor";

/**
 * Returns calls of a command as latchkey makes them, one for each kind of key or channel.
 *
 * @throws Error if the command is unknown
 */
export function samplesOf(command: string, location: MachineLocation): readonly Sample[] {
  const [entity = "", log = "", machine = "", index = "", due = "", events = ""] = entityKeys(location, ID);
  const [meta, machines] = [metaKey(location.namespace), machinesKey(location.namespace, 0)];
  const { deadLetters, assignments, lastSeen, settings, waiting } = reactionKeys(location, 0, ID);
  const streams = [events, deadLetters];
  const samples: Readonly<Record<string, readonly Sample[]>> = {
    "acl|dryrun": [["ACL", "DRYRUN", "default", "PING"]],
    "acl|getuser": [["ACL", "GETUSER", "default"]],
    asking: [["ASKING"]],
    "client|setname": [["CLIENT", "SETNAME", "latchkey"]],
    "cluster|countkeysinslot": [["CLUSTER", "COUNTKEYSINSLOT", "0"]],
    "cluster|info": [["CLUSTER", "INFO"]],
    "cluster|nodes": [["CLUSTER", "NODES"]],
    "cluster|slots": [["CLUSTER", "SLOTS"]],
    "config|get": [["CONFIG", "GET", "save"]],
    del: [
      ["DEL", entity, log],
      ["DEL", machine],
      ["DEL", deadLetters, assignments, lastSeen, settings, waiting],
    ],
    exec: [["EXEC"]],
    exists: [["EXISTS", machine]],
    "function|list": [["FUNCTION", "LIST"]],
    "function|load": [["FUNCTION", "LOAD", "#!lua name=none"]],
    "function|stats": [["FUNCTION", "STATS"]],
    hdel: [entity, assignments, settings].map((key): Sample => ["HDEL", key, "f"]),
    hget: [machine, assignments, settings].map((key): Sample => ["HGET", key, "f"]),
    hgetall: [entity, machine, assignments].map((key): Sample => ["HGETALL", key]),
    hkeys: [["HKEYS", machines]],
    hmget: [meta, machine, settings].map((key): Sample => ["HMGET", key, "f"]),
    hset: [entity, machine, machines, meta, assignments, settings].map(
      (key): Sample => ["HSET", key, "f", "v"],
    ),
    hsetnx: [["HSETNX", meta, "f", "v"]],
    info: [["INFO"]],
    lindex: [["LINDEX", log, "0"]],
    llen: [["LLEN", log]],
    lpop: [["LPOP", log, "1"]],
    lpos: [["LPOS", log, "v"]],
    lrange: [["LRANGE", log, "0", "-1"]],
    "memory|usage": [entity, log, machine, index, due, events].map((key): Sample => ["MEMORY", "USAGE", key]),
    multi: [["MULTI"]],
    pexpire: [["PEXPIRE", settings, "1"]],
    publish: [["PUBLISH", channelOf(location), "m"]],
    readonly: [["READONLY"]],
    restore: [["RESTORE", entity, "0", "v"]],
    rpush: [["RPUSH", log, "v"]],
    scan: [["SCAN", "0"]],
    "script|exists": [["SCRIPT", "EXISTS", "v"]],
    "script|load": [["SCRIPT", "LOAD", "return 1"]],
    select: [["SELECT", "0"]],
    subscribe: [["SUBSCRIBE", channelOf(location)]],
    time: [["TIME"]],
    type: [machine, index, due, events].map((key): Sample => ["TYPE", key]),
    unsubscribe: [["UNSUBSCRIBE", channelOf(location)]],
    wait: [["WAIT", "1", "1"]],
    waitaof: [["WAITAOF", "1", "0", "1"]],
    xack: streams.map((key): Sample => ["XACK", key, ID, "1-1"]),
    xadd: streams.map((key): Sample => ["XADD", key, "*", "doc", "{}"]),
    xclaim: streams.map((key): Sample => ["XCLAIM", key, ID, ID, "0", "1-1"]),
    xdel: [["XDEL", deadLetters, "1-1"]],
    "xgroup|create": streams.map((key): Sample => ["XGROUP", "CREATE", key, ID, "0"]),
    "xgroup|delconsumer": streams.map((key): Sample => ["XGROUP", "DELCONSUMER", key, ID, ID]),
    "xgroup|destroy": [["XGROUP", "DESTROY", events, ID]],
    "xgroup|setid": [["XGROUP", "SETID", events, ID, "0"]],
    "xinfo|consumers": streams.map((key): Sample => ["XINFO", "CONSUMERS", key, ID]),
    "xinfo|groups": [["XINFO", "GROUPS", events]],
    "xinfo|stream": [["XINFO", "STREAM", events]],
    xlen: streams.map((key): Sample => ["XLEN", key]),
    xpending: streams.map((key): Sample => ["XPENDING", key, ID]),
    xrange: streams.map((key): Sample => ["XRANGE", key, "-", "+"]),
    xrevrange: [["XREVRANGE", events, "+", "-"]],
    xreadgroup: streams.map((key): Sample => ["XREADGROUP", "GROUP", ID, ID, "STREAMS", key, ">"]),
    xsetid: [["XSETID", events, "1-1"]],
    zadd: [index, due, lastSeen, waiting].map((key): Sample => ["ZADD", key, "1", "m"]),
    zcard: [index, due, lastSeen].map((key): Sample => ["ZCARD", key]),
    zcount: [index, due, lastSeen].map((key): Sample => ["ZCOUNT", key, "0", "1"]),
    zmscore: [["ZMSCORE", due, "m"]],
    zrandmember: [["ZRANDMEMBER", index, "1"]],
    zrange: [index, waiting].map((key): Sample => ["ZRANGE", key, "0", "1"]),
    zrangebyscore: [index, due, lastSeen].map((key): Sample => ["ZRANGEBYSCORE", key, "0", "1"]),
    zrem: [index, due, lastSeen, waiting].map((key): Sample => ["ZREM", key, "m"]),
    zremrangebyrank: [["ZREMRANGEBYRANK", index, "0", "1"]],
    zscan: [index, due].map((key): Sample => ["ZSCAN", key, "0"]),
    zscore: [index, due, lastSeen].map((key): Sample => ["ZSCORE", key, "m"]),
  };
  const calls = samples[command] ?? scriptSamples(command, location);
  if (calls === undefined) throw new Error(`the doctor has no sample call of ${command}`);
  return calls;
}

/** Returns the call of a script that the command names by its SHA-1. */
function scriptSamples(command: string, location: MachineLocation): readonly Sample[] | undefined {
  const [name = "", sha1 = ""] = command.split("|");
  if (!name.startsWith("evalsha")) return undefined;
  const isOfReactions = Object.values(reactionScripts).some((script) => script.sha1 === sha1);
  const keys = isOfReactions ? Object.values(reactionKeys(location, 0, ID)) : entityKeys(location, ID);
  return [[name.toUpperCase(), sha1, String(keys.length), ...keys]];
}

/** Returns true for calls with a key of a reaction. */
export function isOfReaction(sample: Sample): boolean {
  return sample.some((word) => word.includes(`:reaction:${ID}:`));
}
