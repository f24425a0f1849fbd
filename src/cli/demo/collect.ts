import { documentText, type Snapshot } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import { EventLog } from "../../events/log.js";
import type { Connection } from "../../valkey/connection.js";
import type { MachineLocation } from "../../valkey/keys.js";
import type { Evidence } from "./evidence.js";
import type { Recording } from "./recorder.js";

/** Reads what the server holds at the end, by ways that no replica took part in. */
export async function collect(
  observer: Connection,
  place: MachineLocation,
  agents: Entities,
  recording: Recording,
  ids: readonly string[],
): Promise<Pick<Evidence, "log" | "published" | "finals" | "counts">> {
  await recording.settle();
  const log: string[] = [];
  const stored = new EventLog({ connection: observer, location: place }, { after: "start", follow: false });
  for await (const change of stored) log.push(documentText(change));
  const finals = new Map<string, Snapshot | null>(
    await Promise.all(ids.map(async (id) => [id, await agents.get(id)] as const)),
  );
  return { log, published: [...recording.texts], finals, counts: await agents.count() };
}
