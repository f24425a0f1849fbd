import { checkId } from "../../contract/arguments.js";
import { dueOf } from "../../reads/due.js";
import { getMany } from "../../reads/get-many.js";
import { history } from "../../reads/history.js";
import type { EntityReadOptions } from "../../valkey/ask.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { stored, writeDocument, writeDocuments } from "../output/documents.js";
import { entityPage } from "../output/entity-page.js";
import { serverNow, withStore } from "../session.js";
import { commandFor } from "../shell-command.js";

/**
 * Shows entities in the given order.
 *
 * @throws CliError NOTFOUND after the others are shown, if some do not exist.
 */
export async function getEntities(
  context: CliContext,
  settings: Settings,
  ids: readonly string[],
  reads: EntityReadOptions,
): Promise<void> {
  const { format, machine } = settings;
  await withStore(settings, async (installed) => {
    const store = { ...installed, ...reads };
    for (const id of ids) checkId("id", id, 128);
    const isPage = isForPeople(format);
    // All requests are sent at once.
    const [entities, nowMs, ...histories] = await Promise.all([
      getMany(store, ids, dueOf(store, ids)),
      isPage ? serverNow(store) : 0,
      ...ids.map((id) => (isPage ? history(installed, id, reads) : [])),
    ]);
    const present = entities.filter((entity) => entity !== null);
    if (isPage) {
      const { definition } = store;
      const pages = entities.flatMap((entity, at) =>
        entity === null
          ? []
          : [entityPage(context, settings, { entity, changes: histories[at] ?? [], definition, nowMs })],
      );
      await context.write(pages.join("\n"));
    } else if (ids.length > 1) await writeDocuments(context, format, present.map(stored));
    else for (const entity of present) await writeDocument(context, format, stored(entity));
    const absent = ids.filter((_, at) => entities[at] === null);
    if (absent.length === 0) return;
    throw new CliError("NOTFOUND", `${machine} ${absent.join(", ")} not found`, {
      hint: commandFor(settings, "list"),
      facts: { machine, ids: absent },
    });
  });
}
