import { type DoctorContext, settingsIn } from "../context.js";
import type { Finding } from "../finding.js";
import { look } from "../not-allowed.js";
import { hasReplayDefect } from "./defects.js";

const id = "default-user";

/** Whether the user `default` may do all that the append-only file holds, on versions whose replay asks for it. */
export async function replayUser(context: DoctorContext): Promise<Finding> {
  const { version, product } = await context.greeting();
  const means = "the append-only file is replayed whole";
  if (product !== "valkey" || version === undefined || !hasReplayDefect(version)) {
    return { id, level: "ok", seen: "this version replays whatever `default` may do", means };
  }
  const { client } = context.connection;
  const reply = await look("acl|getuser", () => client.call("ACL", "GETUSER", "default"));
  const rights = settingsIn(reply);
  const [commands = "", keys = "", channels = ""] = ["commands", "keys", "channels"].map((name) =>
    rights.get(name),
  );
  // Any rule behind +@all takes something away.
  if (commands === "+@all" && keys === "~*" && channels === "&*") {
    return { id, level: "ok", seen: "may do everything", means };
  }
  const seen = `commands ${commands}, keys ${keys || "none"}, channels ${channels || "none"}`;
  const isOn = (await context.infoField("aof_enabled")) === "1";
  return {
    id,
    level: isOn ? "bad" : "warn",
    seen,
    means:
      "this version replays the append-only file by this user's rights: what scripts wrote is lost at a restart (PR 3983)",
    mend: "ACL SETUSER default off resetpass ~* &* +@all",
  };
}
