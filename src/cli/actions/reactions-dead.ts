import { readDocument, type Snapshot } from "../../contract/document.js";
import type { DeadLetter } from "../../reactions/dead-letters.js";
import { CliError, usageError } from "../cli-error.js";
import type { LetterFlags } from "../commands/reactions.js";
import type { CliContext } from "../context.js";
import { type Format, isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { ageText } from "../output/age.js";
import { writeDocument, writeDocuments } from "../output/documents.js";
import { placeOptions } from "../output/next-steps.js";
import { type Column, TableLines } from "../output/table.js";
import { serverNow } from "../server-now.js";
import { withEntities } from "../session.js";
import { shellCommand } from "../shell-command.js";
import { needReaction } from "./known-reaction.js";

/** So many letters at once, so that many can be changed without holding them all. */
const GROUP = 100;

/** Shows the dead letters of a reaction. @throws CliError NOTFOUND where nobody ever started it. */
export async function showDeadLetters(context: CliContext, settings: Settings, name: string): Promise<void> {
  const signal = context.interruption();
  await withEntities(
    settings,
    async (entities, store) => {
      const letters = entities.deadLetters(name);
      await needReaction(entities, settings, name);
      if (!isForPeople(settings.format)) {
        await writeDocuments(context, settings.format, written(entities.name, letters));
        return;
      }
      const table = new TableLines(columns(await serverNow(store), settings.format));
      for await (const letter of letters) await context.write(table.add(letter));
      await context.write(table.end());
    },
    { signal },
  );
}

/** Retries or drops some dead letters, or all. @throws CliError NOTFOUND for ids that are none. */
export async function changeDeadLetters(
  context: CliContext,
  settings: Settings,
  name: string,
  {
    verb,
    ids,
    all = false,
  }: { readonly verb: "retry" | "drop"; readonly ids: readonly string[] } & LetterFlags,
): Promise<void> {
  if (all === ids.length > 0) throw usageError("name dead letters, or give --all");
  await withEntities(settings, async (entities) => {
    const letters = entities.deadLetters(name);
    await needReaction(entities, settings, name);
    const { groups: wanted, lost } = all ? await groupsOf(letters, verb) : { groups: [ids], lost: [] };
    const done: string[] = [];
    for (const group of wanted) done.push(...(await letters[verb](group)));
    if (settings.format === "name") await context.write(done.map((id) => `${id}\n`).join(""));
    else await writeDocument(context, settings.format, { machine: "", id: "", text: JSON.stringify(done) });
    if (all && done.length === 0) context.note(`${name} has no dead letters to ${verb}`);
    if (lost.length > 0) {
      const dead = shellCommand("reactions", ["dead", name], placeOptions(settings));
      context.note(`${lost.length} of events that the log lost can only be dropped; to see them: ${dead}`);
    }
    const absent = ids.filter((id) => !done.includes(id));
    if (absent.length === 0) return;
    const why = verb === "retry" ? ", or of events that the log lost" : "";
    throw new CliError("NOTFOUND", `no dead letters of ${name}${why}: ${absent.join(", ")}`, {
      hint: shellCommand("reactions", ["dead", name], placeOptions(settings)),
      facts: { ids: JSON.stringify(absent) },
    });
  });
}

/** All letters in groups, without those of events that the log lost, which can't be retried. */
async function groupsOf(
  letters: AsyncIterable<DeadLetter>,
  verb: "retry" | "drop",
): Promise<{ groups: string[][]; lost: string[] }> {
  const groups: string[][] = [[]];
  const lost: string[] = [];
  for await (const { id, text } of letters) {
    if (verb === "retry" && text === null) {
      lost.push(id);
      continue;
    }
    if ((groups.at(-1)?.length ?? 0) === GROUP) groups.push([]);
    groups.at(-1)?.push(id);
  }
  return { groups, lost };
}

async function* written(machine: string, letters: AsyncIterable<DeadLetter>) {
  for await (const letter of letters) yield { machine, id: letter.id, text: jsonOf(letter) };
}

/** The event stands in it as it is stored, with every digit. */
function jsonOf({ id, text, error, attempts, firstMs, lastMs, isRetried }: DeadLetter): string {
  const members = {
    id: JSON.stringify(id),
    error: JSON.stringify(error),
    attempts: String(attempts),
    first: firstMs === undefined ? "null" : JSON.stringify(timeText(firstMs)),
    last: JSON.stringify(timeText(lastMs)),
    retried: String(isRetried),
    event: text ?? "null",
  };
  return `{${Object.entries(members)
    .map(([name, json]) => `"${name}":${json}`)
    .join(",")}}`;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function columns(nowMs: number, format: Format): Column<DeadLetter>[] {
  const of = ({ text }: DeadLetter): Snapshot | undefined => (text === null ? undefined : readDocument(text));
  const wide: Column<DeadLetter>[] = [
    { title: "VERSION", value: (letter) => of(letter)?.version.toString() },
    { title: "FIRST", value: ({ firstMs }) => (firstMs === undefined ? undefined : timeText(firstMs)) },
    { title: "LAST", value: ({ lastMs }) => timeText(lastMs) },
  ];
  return [
    { title: "LETTER", value: ({ id }) => id },
    { title: "ID", value: (letter) => of(letter)?.id },
    { title: "TYPE", value: (letter) => typeOf(of(letter)) },
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
