import { documentText, type Snapshot } from "../store/document.js";
import { dueOf } from "../store/due-read.js";
import { getMany, history } from "../store/read.js";
import { CliError } from "./cli-error.js";
import type { CliContext } from "./context.js";
import { type Written, writeDocument, writeDocuments } from "./documents.js";
import { entityPage } from "./entity-page.js";
import { isForPeople } from "./formats.js";
import { placeOptions } from "./next-steps.js";
import { serverNow } from "./server-now.js";
import { withStore } from "./session.js";
import type { Settings } from "./settings.js";
import { shellCommand } from "./shell-command.js";

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
