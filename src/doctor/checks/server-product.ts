import { fail, info, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { isOlder, type ServerIdentity, type Version } from "../server-identity.js";

const FIX = "run Valkey 8.0 or later";
const OLDEST: Readonly<Record<string, Version>> = { valkey: [7, 2, 0], redis: [7, 0, 0] };
/** The first version of Redis with the command that confirms writes on disk. */
const WAITAOF: Version = [7, 2, 0];
const UNSUPPORTED: Readonly<Record<string, string>> = {
  dragonfly: "Dragonfly is unsupported: it has another Lua, other rules for keys, and no function libraries",
  keydb:
    "KeyDB is unsupported: it is based on Redis 6, which does not reject a script before its first write",
};

/** Checks the product and the version of the server. */
export async function serverProduct(context: DoctorContext): Promise<Outcome> {
  return judgeServer(await context.identity());
}

/** Returns the result for a product and its version. */
export function judgeServer({ product, version, versionText }: ServerIdentity): Outcome {
  const status = `${product} ${versionText}`;
  const unsupported = UNSUPPORTED[product];
  if (unsupported !== undefined) return fail(status, unsupported, FIX);
  const oldest = OLDEST[product];
  if (oldest === undefined)
    return warn(status, "latchkey is tested on Valkey; this product may run its scripts differently", FIX);
  if (version === undefined || isOlder(version, oldest))
    return fail(status, `the scripts require ${product} ${oldest[0]}.${oldest[1]} or later`, FIX);
  if (product === "valkey") return ok(status, "supported");
  const disk = isOlder(version, WAITAOF) ? ", and this version cannot confirm durability on disk" : "";
  return info(status, `Redis is for development and tests only${disk}`, FIX);
}
