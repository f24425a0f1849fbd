import { checkId } from "../../contract/arguments.js";
import type { Snapshot } from "../../contract/document.js";
import { codeOf } from "../../errors/code-of.js";
import { dueOf } from "../../reads/due.js";
import { getMany } from "../../reads/get-many.js";
import { type HistoryEntry, history } from "../../reads/history.js";
import type { EntityReadOptions } from "../../valkey/ask.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { stored, writeDocument, writeDocuments } from "../output/documents.js";
import { entityPage } from "../output/entity-page.js";
import { serverNow, withStore } from "../session.js";
import { commandFor } from "../shell-command.js";

/** An entity that exists, and its history if it is shown. */
interface FoundEntity {
  readonly entity: Snapshot;
  readonly changes: readonly HistoryEntry[];
}

/**
 * Shows entities in the given order.
 *
 * @throws the error of an entity that cannot be read, else CliError NOTFOUND if some do not exist; after the others are shown
 */
export async function getEntities(
  context: CliContext,
  settings: Settings,
  ids: readonly string[],
  reads: EntityReadOptions,
): Promise<void> {
  const { format } = settings;
  await withStore(settings, async (store) => {
    for (const id of ids) checkId("id", id, 128);
    const isPage = isForPeople(format);
    // All requests are sent at once.
    const [nowMs, ...results] = await Promise.all([
      isPage ? serverNow(store) : 0,
      ...ids.map((id) => readEntity(store, id, isPage, reads).catch((error: unknown) => ({ error }))),
    ]);
    const found = results.filter((result) => result !== null && "entity" in result);
    const { definition } = store;
    if (isPage) {
      const pages = found.map((one) => entityPage(context, settings, { ...one, definition, nowMs }));
      await context.write(pages.join("\n"));
    } else if (ids.length > 1) {
      const entities = found.map(({ entity }) => stored(entity));
      await writeDocuments(context, format, entities);
    } else for (const { entity } of found) await writeDocument(context, format, stored(entity));
    const failures = results.flatMap((result, at) =>
      result !== null && "error" in result ? [{ id: ids[at] ?? "", error: result.error }] : [],
    );
    const absent = ids.filter((_, at) => results[at] === null);
    if (failures.length > 0) throw unread(settings, failures, absent);
    if (absent.length > 0) throw notFound(settings, absent);
  });
}

/** Reads an entity, and its history if it is shown; null if it does not exist. */
async function readEntity(
  store: MachineStore,
  id: string,
  isPage: boolean,
  reads: EntityReadOptions,
): Promise<FoundEntity | null> {
  const limits = { ...store, ...reads };
  const what = `get ${store.location.machine} ${id}`;
  const reading = getMany(limits, [id], what, dueOf(limits, [id], what));
  const changing = isPage ? history(store, id, reads) : [];
  await Promise.allSettled([reading, changing]); // if both fail, the error is that of the entity
  const [entity = null] = await reading;
  const changes = await changing;
  return entity === null ? null : { entity, changes };
}

/** Makes the error of the entities that cannot be read: that of the first one, with those of the others. */
function unread(
  settings: Settings,
  failures: readonly { readonly id: string; readonly error: unknown }[],
  absent: readonly string[],
): unknown {
  const [first, ...others] = failures.map(({ error }) => error);
  if (!(first instanceof Error) || codeOf(first) === "") return first;
  const lines = others.map((error) => (error instanceof Error ? error.message : String(error)));
  if (absent.length > 0) lines.push(notFound(settings, absent).message);
  const facts = { machine: settings.machine, ids: failures.map(({ id }) => id), absent };
  return new CliError(codeOf(first), first.message, { lines, facts }, first);
}

function notFound(settings: Settings, ids: readonly string[]): CliError {
  const { machine } = settings;
  return new CliError("NOTFOUND", `${machine} ${ids.join(", ")} not found`, {
    hint: commandFor(settings, "list"),
    facts: { machine, ids },
  });
}
