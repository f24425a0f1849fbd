import type { Valkey } from "iovalkey";
import { runScript } from "../valkey/script.js";
import type { Part } from "./entity-places.js";
import type { Defect, Mend } from "./finding.js";
import type { Look } from "./look.js";
import { MEND } from "./mend-script.js";

/** What to do about all defects of one entity together; undefined where nothing can be done. */
export function cureOf(defects: readonly Defect[]): Mend | undefined {
  const mends = defects.flatMap(({ mend }) => mend ?? []);
  return mends.length === 0 ? undefined : Object.assign({}, ...mends);
}

/**
 * Mends one entity's places, all at once.
 *
 * @returns false where the entity is not as it was looked at any more; nothing was written then.
 */
export async function mendEntity(client: Valkey, { keys }: Part, look: Look, cure: Mend): Promise<boolean> {
  const { id, places, hash, index, due, logLength } = look;
  const seen = ["state", "since"].map((field) => hash?.get(field) ?? "");
  const reply = await runScript(
    client,
    MEND,
    [places.entity, places.log, keys.index, keys.due],
    [
      id,
      ...seen,
      index ?? "",
      due ?? "",
      String(logLength),
      word(cure.index),
      word(cure.due),
      word(cure.log),
      hash?.get("version") ?? "",
      ...(typeof cure.log === "object" ? (cure.log ?? []) : []),
    ],
  );
  return reply === "OK";
}

function word(wanted: Mend["log"]): string {
  if (wanted === undefined) return "";
  if (wanted === null) return "-";
  return typeof wanted === "object" ? "+" : String(wanted);
}
