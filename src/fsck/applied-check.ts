import type { Valkey } from "iovalkey";
import { readReply } from "../changes/result.js";
import { scripts } from "../lua/index.js";
import { replyCode, safeMessage } from "../valkey/failure.js";
import { runScript } from "../valkey/script.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";

/** What the script that installs machines says. */
export interface Applied {
  readonly defects: readonly Defect[];
  /** Why it could not be asked; undefined where it was. */
  readonly unasked?: string;
}

/** Why the server runs no script of this kind, by the first word of what it says. */
const UNASKED: Readonly<Record<string, string>> = {
  NOPERM: "this user lacks the rights of a writer (NOPERM)",
  READONLY: "the server is a replica",
  OOM: "the server refuses scripts now (OOM)",
  MISCONF: "the server refuses scripts now (MISCONF)",
  NOREPLICAS: "the server refuses scripts now (NOREPLICAS)",
};

/** Asks the script that installs machines: its own definition must be what is installed. */
export async function checkApplied(
  client: Valkey,
  { keys }: Part,
  { definition }: Installed,
  isReplica: boolean,
): Promise<Applied> {
  if (definition === undefined) return { defects: [] };
  // Not even asked: an answer of READONLY makes the client connect anew.
  if (isReplica) return { defects: [], unasked: UNASKED.READONLY ?? "" };
  const reply = await runScript(
    client,
    scripts.apply,
    [keys.machine, keys.index],
    [definition.json, "DRYRUN"],
  ).catch((error: unknown) => {
    const code = safeMessage(error).startsWith("ERR ACL failure in script") ? "NOPERM" : replyCode(error);
    if (code in UNASKED || ["BADARG", "LAYOUT", "WRONGTYPE"].includes(code)) return code;
    throw error;
  });
  if (typeof reply === "string") {
    const unasked = UNASKED[reply];
    if (unasked !== undefined) return { defects: [], unasked };
    if (reply === "WRONGTYPE") return { defects: [] }; // an index of another type is told of by itself
  } else {
    const { outcome, text } = readReply(reply);
    if (outcome === "OK" && text !== null && JSON.parse(text).changed === false) return { defects: [] };
  }
  const message = "its own definition is not what is installed, as apply tells";
  const why = "apply the definition again under a higher version";
  return { defects: [{ kind: "machine-broken", id: "", key: keys.machine, message, why }] };
}
