import { fail, type Outcome, ok, warn } from "../check-result.js";
import { type DoctorContext, pairs } from "../context.js";
import { query } from "../query.js";
import { hasReplayDefect } from "./defects.js";

/** Checks that the user `default` has all permissions, on versions whose replay of the append-only file needs them. */
export async function defaultUser(context: DoctorContext): Promise<Outcome> {
  const { version, product } = await context.identity();
  const complete = "the append-only file is replayed completely";
  if (product !== "valkey" || version === undefined || !hasReplayDefect(version))
    return ok("this version does not need it for replay", complete);
  const { client } = context.connection;
  const user = pairs(await query("acl|getuser", () => client.call("ACL", "GETUSER", "default")));
  const [commands = "", keys = "", channels = ""] = ["commands", "keys", "channels"].map((name) =>
    user.get(name),
  );
  // Any rule after +@all removes a permission.
  if (commands === "+@all" && keys === "~*" && channels === "&*") return ok("has all permissions", complete);
  const isOn = (await context.info()).get("aof_enabled") === "1";
  return (isOn ? fail : warn)(
    `commands ${commands}, keys ${keys || "none"}, channels ${channels || "none"}`,
    "this version replays the append-only file with this user's permissions: writes of scripts are lost at a restart (PR 3983)",
    "ACL SETUSER default off resetpass ~* &* +@all",
  );
}
