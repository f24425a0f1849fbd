import type { Valkey } from "iovalkey";
import { parseCompiledMachine } from "../machine/compile.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { replyCode } from "../valkey/failure.js";
import { machinesKey } from "../valkey/keys.js";
import type { Partition } from "./partition.js";

/** Holds a machine as one partition stores it. */
export interface StoredMachine {
  /** Every field of its hash. */
  readonly rows: ReadonlyMap<string, string>;
  /** Every state that was ever installed, in the order of the index. */
  readonly ordinals: readonly string[];
  /** The definition; undefined if its text is not a machine. */
  readonly definition: CompiledMachine | undefined;
  /** The machine's version in the partition's list of machines; null for none. */
  readonly listed: string | null;
}

/** Reads the machine of one partition. Returns undefined if there is none, or a key of another type. */
export async function readStoredMachine(
  client: Valkey,
  { location, number, keys }: Partition,
): Promise<StoredMachine | undefined> {
  const hash = await client.hgetall(keys.machine).catch((error: unknown) => {
    if (replyCode(error) === "WRONGTYPE") return {};
    throw error;
  });
  const rows = new Map(Object.entries(hash));
  if (rows.size === 0) return undefined;
  const ordinals = (rows.get("states") ?? "").split(" ").filter((state) => state !== "");
  const [listed = null] = await client.hmget(machinesKey(location.namespace, number), location.machine);
  return { rows, ordinals, definition: validDefinition(rows.get("definition") ?? ""), listed };
}

function validDefinition(text: string): CompiledMachine | undefined {
  try {
    return parseCompiledMachine(text);
  } catch {
    return undefined;
  }
}
