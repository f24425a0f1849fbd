import type { Valkey } from "iovalkey";
import { parseCompiledMachine } from "../machine/compile.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { replyCode } from "../valkey/failure.js";
import type { Part } from "./entity-places.js";

/** A machine as one partition holds it. */
export interface Installed {
  /** Every field of its hash. */
  readonly rows: ReadonlyMap<string, string>;
  /** Every state ever installed, by its place in the index. */
  readonly ordinals: readonly string[];
  /** Undefined where the text is no machine. */
  readonly definition: CompiledMachine | undefined;
}

/** Reads the machine of one partition; undefined where none is, or something else in its place. */
export async function readInstalled(client: Valkey, { keys }: Part): Promise<Installed | undefined> {
  const hash = await client.hgetall(keys.machine).catch((error: unknown) => {
    if (replyCode(error) === "WRONGTYPE") return {};
    throw error;
  });
  const rows = new Map(Object.entries(hash));
  if (rows.size === 0) return undefined;
  const states = rows.get("states") ?? "";
  return {
    rows,
    ordinals: states === "" ? [] : states.split(" "),
    definition: readDefinition(rows.get("definition")),
  };
}

function readDefinition(text: string | undefined): CompiledMachine | undefined {
  try {
    return text === undefined ? undefined : parseCompiledMachine(text);
  } catch {
    return undefined;
  }
}
