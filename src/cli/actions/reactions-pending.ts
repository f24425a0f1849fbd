import { readDocument, type Snapshot } from "../../contract/document.js";
import type { PendingEvent } from "../../reactions/pending.js";
import type { CliContext } from "../context.js";
import type { Format } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { ageText } from "../output/ages.js";
import { writeRows } from "../output/documents.js";
import type { Column } from "../output/table.js";
import { serverNow, withEntities } from "../session.js";
import { checkReaction } from "./reactions-list.js";

/** Lists the pending events of a reaction. @throws CliError NOTFOUND if there is no such reaction */
export async function listPendingEvents(
  context: CliContext,
  settings: Settings,
  name: string,
): Promise<void> {
  const { format } = settings;
  await withEntities(
    settings,
    async (entities, store) => {
      await checkReaction(entities, settings, name);
      const columns = pendingColumns(context, await serverNow(store), format);
      const document = (event: PendingEvent) => ({ id: event.id, text: jsonOf(event) });
      await writeRows(context, format, { rows: entities.pendingEvents(name), columns, document });
    },
    { signal: context.interruption() },
  );
}

/** Formats a pending event as JSON. The event keeps its stored text, with every digit. */
function jsonOf({ text, replicaSeenMs, firstMs, sinceMs, ...event }: PendingEvent): string {
  const { id, entity, status, replica = null, attempts, isDeadLetter } = event;
  const times = { since: timeText(sinceMs), first: timeText(firstMs), replicaSeen: timeText(replicaSeenMs) };
  const json = JSON.stringify({ id, entity, status, replica, attempts, ...times, deadLetter: isDeadLetter });
  return `${json.slice(0, -1)},"event":${text ?? "null"}}`;
}

function timeText(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

function pendingColumns({ paint }: CliContext, nowMs: number, format: Format): Column<PendingEvent>[] {
  const eventOf = ({ text }: PendingEvent): Snapshot | undefined =>
    text === null ? undefined : readDocument(text);
  const wide: Column<PendingEvent>[] = [
    { title: "VERSION", value: (event) => eventOf(event)?.version.toString() },
    { title: "FIRST", value: ({ firstMs }) => timeText(firstMs) ?? undefined },
    {
      title: "SEEN",
      value: ({ replicaSeenMs: ms }) => (ms === undefined ? undefined : ageText(nowMs - ms)),
    },
  ];
  return [
    { title: "EVENT", value: ({ id }) => id },
    { title: "ID", value: ({ entity }) => entity },
    { title: "TYPE", value: (event) => eventOf(event)?.type as string | undefined },
    {
      title: "STATUS",
      value: ({ status }) => status,
      paint: (text, { status }) => (status === "retrying" ? paint.red(text) : text),
    },
    { title: "SINCE", value: ({ sinceMs }) => ageText(nowMs - sinceMs) },
    { title: "ATTEMPTS", value: ({ attempts }) => String(attempts) },
    ...(format === "wide" ? wide : []),
    { title: "REPLICA", value: ({ replica }) => replica },
  ];
}
