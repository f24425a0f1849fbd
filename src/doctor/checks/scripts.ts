import { pairsOf } from "../../contract/flat-reply.js";
import { library, manifest, scripts } from "../../lua/index.js";
import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { look } from "../not-allowed.js";

const LIBRARY = manifest.library.replace(/\.lua$/, "");

/** Whether the server knows the scripts already. */
export async function scriptsPresent(context: DoctorContext): Promise<Finding> {
  const id = "scripts";
  const all = Object.entries(scripts);
  const { client } = context.connection;
  const flags = await look(
    "script|exists",
    async () => (await client.script("EXISTS", ...all.map(([, { sha1 }]) => sha1))) as number[],
  );
  const absent = all.flatMap(([name], at) => (flags[at] === 1 ? [] : [name]));
  if (absent.length === 0)
    return { id, level: "ok", seen: `all ${all.length} are loaded`, means: "calls find them" };
  const means =
    "each is loaded when it is first called; whoever calls without latchkey's client has to load it";
  return { id, level: "note", seen: `not loaded: ${absent.join(", ")}`, means, mend: "latchkey lua load" };
}

/** Whether the Function library, where there is one, is the one of this version. */
export async function functionLibrary(context: DoctorContext): Promise<Finding> {
  const id = "functions";
  const { client } = context.connection;
  const reply = await look("function|list", () =>
    client.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE"),
  );
  const found: unknown = Array.isArray(reply) ? reply[0] : undefined;
  if (!Array.isArray(found)) {
    return { id, level: "ok", seen: "not loaded", means: "only callers of FCALL need it" };
  }
  if (new Map(pairsOf(found)).get("library_code") === library) {
    return {
      id,
      level: "ok",
      seen: `${LIBRARY} is loaded`,
      means: "it does what the scripts of this version do",
    };
  }
  const means = "whoever calls it by FCALL runs the scripts of another version of latchkey";
  return {
    id,
    level: "warn",
    seen: `${LIBRARY} has other code`,
    means,
    mend: "latchkey lua load --functions",
  };
}
