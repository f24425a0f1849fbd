import { scripts } from "../../lua/index.js";
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
    "client|setname": [["CLIENT", "SETNAME", "latchkey"]],
    del: [
      ["DEL", entity, log],
      ["DEL", machine],
      ["DEL", deadLetters, assignments, lastSeen, settings, waiting],
    ],
    evalsha: [...Object.values(scripts), ...Object.values(reactionScripts)].map(
      ({ sha1 }): Sample => ["EVALSHA", sha1, "2", machine, index],
    ),
    evalsha_ro: [["EVALSHA_RO", scripts.get.sha1, "1", entity]],
    exec: [["EXEC"]],
    exists: [["EXISTS", machine]],
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
    restore: [["RESTORE", entity, "0", "v"]],
    rpush: [["RPUSH", log, "v"]],
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
  const calls = samples[command];
  if (calls === undefined) throw new Error(`the doctor has no sample call of ${command}`);
  return calls;
}
