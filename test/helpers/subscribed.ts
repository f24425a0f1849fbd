import type { Valkey } from "iovalkey";

/** Counts the connections that are subscribed to a machine's changes, as those of all clients that follow its log are. */
export async function subscribed(valkey: Valkey, namespace: string, machine: string): Promise<number> {
  const [, count] = (await valkey.pubsub("NUMSUB", `${namespace}:${machine}:events`)) as [string, number];
  return count;
}
