import { scripts } from "../../lua/index.js";
import { channelOf, entityKeys, metaKey, type Place } from "../../valkey/keys.js";

/** A call, word by word. It is only asked about, and never executed. */
export type Sample = readonly [command: string, ...args: string[]];

/** An id that stands for all. */
const ID = "latchkey-doctor";

/**
 * Calls of a command as latchkey makes them: one for each kind of key or channel that it is made with.
 *
 * @throws Error for a command that none is known of
 */
export function samplesOf(command: string, place: Place): readonly Sample[] {
  const [entity = "", log = "", machine = "", index = "", due = "", events = ""] = entityKeys(place, ID);
  const meta = metaKey(place.namespace);
  const samples: Readonly<Record<string, readonly Sample[]>> = {
    "client|setname": [["CLIENT", "SETNAME", "latchkey"]],
    del: [
      ["DEL", entity, log],
      ["DEL", machine],
    ],
    evalsha: Object.values(scripts).map(({ sha1 }): Sample => ["EVALSHA", sha1, "2", machine, index]),
    exec: [["EXEC"]],
    exists: [["EXISTS", machine]],
    hdel: [["HDEL", entity, "f"]],
    hget: [["HGET", machine, "f"]],
    hgetall: [
      ["HGETALL", entity],
      ["HGETALL", machine],
    ],
    hkeys: [["HKEYS", meta]],
    hmget: [
      ["HMGET", meta, "f"],
      ["HMGET", machine, "f"],
    ],
    hset: [entity, machine, meta].map((key): Sample => ["HSET", key, "f", "v"]),
    hsetnx: [["HSETNX", meta, "f", "v"]],
    info: [["INFO"]],
    llen: [["LLEN", log]],
    lrange: [["LRANGE", log, "0", "-1"]],
    ltrim: [["LTRIM", log, "0", "-1"]],
    multi: [["MULTI"]],
    publish: [["PUBLISH", channelOf(place), "m"]],
    rpush: [["RPUSH", log, "v"]],
    "script|load": [["SCRIPT", "LOAD", "return 1"]],
    select: [["SELECT", "0"]],
    subscribe: [["SUBSCRIBE", channelOf(place)]],
    time: [["TIME"]],
    wait: [["WAIT", "1", "1"]],
    waitaof: [["WAITAOF", "1", "0", "1"]],
    xadd: [["XADD", events, "*", "doc", "{}"]],
    "xinfo|stream": [["XINFO", "STREAM", events]],
    xlen: [["XLEN", events]],
    xrange: [["XRANGE", events, "-", "+"]],
    xread: [["XREAD", "COUNT", "1", "STREAMS", events, "0"]],
    zadd: [index, due].map((key): Sample => ["ZADD", key, "1", "m"]),
    zcard: [index, due].map((key): Sample => ["ZCARD", key]),
    zcount: [index, due].map((key): Sample => ["ZCOUNT", key, "0", "1"]),
    zmscore: [["ZMSCORE", due, "m"]],
    zrangebyscore: [index, due].map((key): Sample => ["ZRANGEBYSCORE", key, "0", "1"]),
    zrem: [index, due].map((key): Sample => ["ZREM", key, "m"]),
    zscore: [["ZSCORE", due, "m"]],
  };
  const found = samples[command];
  if (found === undefined) throw new Error(`the doctor knows no call of ${command}`);
  return found;
}
