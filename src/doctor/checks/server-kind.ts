import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import type { Greeting } from "../greeting.js";
import { isBefore, type Version } from "../version.js";

const id = "server";
const INSTEAD = "run Valkey 8.0 or newer";
const OLDEST: Readonly<Record<string, Version>> = { valkey: [7, 2, 0], redis: [7, 0, 0] };
const UNFIT: Readonly<Record<string, string>> = {
  dragonfly: "Dragonfly has another Lua, other rules for keys, and no Function libraries",
  keydb: "KeyDB is of the age of Redis 6.2: its scripts are not refused before their first write",
};

/** Which product answers, and whether its scripting is new enough. */
export async function serverKind(context: DoctorContext): Promise<Finding> {
  return judgeServer(await context.greeting());
}

/** What it means to work with such a server. */
export function judgeServer({ product, version, versionText }: Greeting): Finding {
  const seen = `${product} ${versionText}`;
  const unfit = UNFIT[product];
  if (unfit !== undefined) return { id, level: "bad", seen, means: unfit, mend: INSTEAD };
  const oldest = OLDEST[product];
  if (oldest === undefined) {
    const means =
      "latchkey is tested on Valkey; of this server it is not known whether its scripts do the same";
    return { id, level: "warn", seen, means, mend: INSTEAD };
  }
  if (version === undefined || isBefore(version, oldest)) {
    const means = `the scripts need ${product} ${oldest[0]}.${oldest[1]} or newer`;
    return { id, level: "bad", seen, means, mend: INSTEAD };
  }
  if (product === "valkey") {
    return { id, level: "ok", seen, means: "the server that latchkey is made for" };
  }
  const means =
    "the scripts run on Redis 7, but latchkey is tested on Valkey, and its table of defects is Valkey's";
  return { id, level: "note", seen, means, mend: INSTEAD };
}
