import type { Valkey } from "iovalkey";

/** The consumer groups of a stream, each by the names that XINFO GROUPS gives its facts; none where there is no stream. */
export async function streamGroups(client: Valkey, key: string): Promise<Map<string, unknown>[]> {
  let groups: unknown;
  try {
    groups = await client.xinfo("GROUPS", key);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("ERR no such key")) return [];
    throw error;
  }
  return (groups as unknown[][]).map(
    (flat) => new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[String(name), flat[at + 1]]] : []))),
  );
}
