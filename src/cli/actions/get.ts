import { documentText, type Snapshot } from "../../contract/document.js";
import { dueOf } from "../../reads/due.js";
import { getMany, history } from "../../reads/get.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { type Written, writeDocument, writeDocuments } from "../output/documents.js";
import { entityPage } from "../output/entity-page.js";
import { placeOptions } from "../output/next-steps.js";
import { serverNow } from "../server-now.js";
import { withStore } from "../session.js";
import { shellCommand } from "../shell-command.js";

/**
 * Shows entities in the order of their ids.
 *
 * @throws CliError NOTFOUND after showing the rest, where one is not there.
 */
export async function getEntities(
  context: CliContext,
  settings: Settings,
  ids: readonly string[],
): Promise<void> {
  const { format } = settings;
  await withStore(settings, async (store) => {
    const found = await getMany(store, ids);
    const present = found.filter((entity) => entity !== null);
    if (isForPeople(format)) {
      const ids = present.map(({ id }) => id);
      const [nowMs, due, ...histories] = await Promise.all([
        serverNow(store),
        dueOf(store, ids),
        ...ids.map((id) => history(store, id)),
      ]);
      const pages = present.map((entity, at) => {
        const changes = histories[at] ?? [];
        return entityPage(context, settings, {
          ...{ entity, changes, definition: store.definition, nowMs },
          due: due[at] ?? null,
        });
      });
      await context.write(pages.join("\n"));
    } else if (ids.length > 1) await writeDocuments(context, format, present.map(written));
    else for (const entity of present) await writeDocument(context, format, written(entity));
    const absent = ids.filter((_, at) => found[at] === null);
    if (absent.length > 0) throw notFound(settings, absent);
  });
}

function written(entity: Snapshot): Written {
  return { machine: entity.machine, id: entity.id, text: documentText(entity) };
}

function notFound(settings: Settings, absent: readonly string[]): CliError {
  return new CliError("NOTFOUND", `${settings.machine} ${absent.join(", ")} not found`, {
    hint: shellCommand("list", [], placeOptions(settings)),
    facts: { machine: JSON.stringify(settings.machine), ids: JSON.stringify(absent) },
  });
}
