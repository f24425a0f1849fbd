import { library, manifest, scripts } from "../../lua/index.js";
import { type CheckResult, info, type Outcome, ok, warn } from "../check-result.js";
import { type DoctorContext, pairs } from "../context.js";
import { query } from "../query.js";

/** The name of the Function library. */
export const LIBRARY = manifest.library.replace(/\.lua$/, "");

/** The result for a server that replies BUSY to everything. */
export const BUSY: CheckResult = {
  id: "busy",
  level: "fail",
  status: "a slow script or function is running",
  meaning: "every call is rejected with BUSY until it ends; latchkey's own scripts end within a millisecond",
  fix: "SCRIPT KILL, or FUNCTION KILL for a function; once it has written, only waiting helps",
};

/** Checks that no slow function blocks the server. A slow script makes the server reply BUSY to this query. */
export async function runningScript(context: DoctorContext): Promise<Outcome> {
  const { client } = context.connection;
  const reply = await query("function|stats", () => client.call("FUNCTION", "STATS"));
  const running: unknown = Array.isArray(reply) ? reply[reply.indexOf("running_script") + 1] : undefined;
  return Array.isArray(running) ? BUSY : ok("no slow script is running", "the server replies to calls");
}

/** Checks that the server has loaded the scripts. */
export async function scriptsPresent(context: DoctorContext): Promise<Outcome> {
  const all = Object.entries(scripts);
  const { client } = context.connection;
  const flags = await query(
    "script|exists",
    async () => (await client.script("EXISTS", ...all.map(([, { sha1 }]) => sha1))) as number[],
  );
  const absent = all.flatMap(([name], at) => (flags[at] === 1 ? [] : [name]));
  if (absent.length === 0) return ok(`all ${all.length} are loaded`, "EVALSHA finds them");
  const meaning = "latchkey loads a script at its first call; other clients must load it themselves";
  return info(`not loaded: ${absent.join(", ")}`, meaning, "latchkey lua load");
}

/** Checks that a loaded function library is the one of this version. */
export async function functionLibrary(context: DoctorContext): Promise<Outcome> {
  const { client } = context.connection;
  const reply = await query("function|list", () =>
    client.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE"),
  );
  const entry: unknown = Array.isArray(reply) ? reply[0] : undefined;
  if (!Array.isArray(entry)) return ok("not loaded", "only callers of FCALL need it");
  if (pairs(entry).get("library_code") === library)
    return ok(`${LIBRARY} is loaded`, "it equals the scripts of this version");
  const meaning = "FCALL runs the scripts of another version of latchkey";
  return warn(`${LIBRARY} has other code`, meaning, "latchkey lua load --functions");
}
