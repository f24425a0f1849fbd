import { readDocument, type Snapshot } from "../../contract/document.js";
import type { DeadLetter } from "../../reactions/dead-letters.js";
import type { CliContext } from "../context.js";
import type { Format } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { ageText } from "../output/ages.js";
import { writeRows } from "../output/documents.js";
import type { Column } from "../output/table.js";
import { serverNow, withEntities } from "../session.js";
import { checkReaction } from "./reactions-list.js";

/** Lists the dead letters of a reaction. @throws CliError NOTFOUND if there is no such reaction */
export async function listDeadLetters(context: CliContext, settings: Settings, name: string): Promise<void> {
  const { format } = settings;
  const signal = context.interruption();
  await withEntities(
    settings,
    async (entities, store) => {
      const rows = entities.deadLetters(name);
      await checkReaction(entities, settings, name);
      const columns = letterColumns(await serverNow(store), format);
      const document = (letter: DeadLetter) => ({ id: letter.id, text: jsonOf(letter) });
      await writeRows(context, format, { rows, columns, document });
    },
    { signal },
  );
}

/** Formats a dead letter as JSON. The event keeps its stored text, with every digit. */
function jsonOf({ id, text, error, attempts, firstMs, lastMs, isRetried }: DeadLetter): string {
  const first = firstMs === undefined ? null : timeText(firstMs);
  const letter = JSON.stringify({ id, error, attempts, first, last: timeText(lastMs), retried: isRetried });
  return `${letter.slice(0, -1)},"event":${text ?? "null"}}`;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function letterColumns(nowMs: number, format: Format): Column<DeadLetter>[] {
  const eventOf = ({ text }: DeadLetter): Snapshot | undefined =>
    text === null ? undefined : readDocument(text);
  const wide: Column<DeadLetter>[] = [
    { title: "VERSION", value: (letter) => eventOf(letter)?.version.toString() },
    { title: "FIRST", value: ({ firstMs }) => (firstMs === undefined ? undefined : timeText(firstMs)) },
    { title: "LAST", value: ({ lastMs }) => timeText(lastMs) },
  ];
  return [
    { title: "LETTER", value: ({ id }) => id },
    { title: "ID", value: (letter) => eventOf(letter)?.id },
    { title: "TYPE", value: (letter) => typeOf(eventOf(letter)) },
    { title: "ATTEMPTS", value: ({ attempts }) => String(attempts) },
    ...(format === "wide" ? wide : []),
    { title: "AGE", value: ({ lastMs }) => ageText(nowMs - lastMs) },
    { title: "RETRIED", value: ({ isRetried }) => (isRetried ? "retried" : undefined) },
    { title: "ERROR", value: ({ error }) => error.split("\n")[0] },
  ];
}

function typeOf(event: Snapshot | undefined): string | undefined {
  return typeof event?.type === "string" ? event.type : undefined;
}
