import type { DeadLetter } from "../../reactions/dead-letters.js";
import { CliError, usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeDocument } from "../output/documents.js";
import { withEntities } from "../session.js";
import { commandFor } from "../shell-command.js";
import { checkReaction } from "./reactions-list.js";

/** Options of `reactions retry` and `reactions drop`. */
export interface LetterFlags {
  readonly all?: boolean;
}

/** Number of letters per request. */
const GROUP = 100;

/** Retries or drops the named dead letters, or all. @throws CliError NOTFOUND for unknown ids */
export async function changeDeadLetters(
  context: CliContext,
  settings: Settings,
  name: string,
  verb: "retry" | "drop",
  ids: readonly string[],
  { all = false }: LetterFlags,
): Promise<void> {
  if (all === ids.length > 0) throw usageError("give either the IDs of dead letters, or --all");
  const hint = commandFor(settings, "reactions", ["dead", name]);
  await withEntities(settings, async (entities) => {
    const letters = entities.deadLetters(name);
    await checkReaction(entities, settings, name);
    const { groups, lost } = all ? await letterGroups(letters, verb) : { groups: [ids], lost: 0 };
    const changed: string[] = [];
    for (const group of groups) changed.push(...(await letters[verb](group)));
    if (settings.format === "name") await context.write(changed.map((id) => `${id}\n`).join(""));
    else await writeDocument(context, settings.format, asJson(changed));
    if (all && changed.length === 0) context.note(`${name} has no dead letters to ${verb}`);
    if (lost > 0) {
      context.note(
        `${lost} not retried: their events were trimmed or are unreadable; they can only be dropped`,
      );
      context.note(`  try: ${hint}`);
    }
    const absent = ids.filter((id) => !changed.includes(id));
    if (absent.length === 0) return;
    const message = `${name} has no dead letters ${absent.join(", ")}`;
    const lines = verb === "retry" ? ["letters of trimmed or unreadable events can only be dropped"] : [];
    throw new CliError("NOTFOUND", message, { hint, lines, facts: { ids: absent } });
  });
}

/** Reads all letters in groups, and counts those that cannot be retried because their events were trimmed or are unreadable. */
async function letterGroups(
  letters: AsyncIterable<DeadLetter>,
  verb: "retry" | "drop",
): Promise<{ groups: string[][]; lost: number }> {
  const groups: string[][] = [[]];
  let lost = 0;
  for await (const { id, text } of letters) {
    if (verb === "retry" && text === null) lost += 1;
    else if ((groups.at(-1)?.length ?? 0) < GROUP) groups.at(-1)?.push(id);
    else groups.push([id]);
  }
  return { groups, lost };
}
