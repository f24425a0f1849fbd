import type { HeartbeatOptions } from "../../leases/heartbeat.js";
import { dueOf } from "../../reads/due.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { dueText } from "../output/ages.js";
import { stored, writeDocument } from "../output/documents.js";
import { explained } from "../rejection.js";
import { serverNow, withEntities } from "../session.js";

/**
 * Renews a lease once and prints the new due time.
 *
 * @throws CliError for a rejection, with the commands that are possible instead.
 */
export async function sendHeartbeat(
  context: CliContext,
  settings: Settings,
  id: string,
  options: HeartbeatOptions,
): Promise<void> {
  await withEntities(settings, async (entities, store) => {
    const entity = await entities.heartbeat(id, options).catch(async (error: unknown) => {
      throw await explained(error, { entities, store, settings });
    });
    if (!isForPeople(settings.format)) return writeDocument(context, settings.format, stored(entity));
    const [[due = null], nowMs] = await Promise.all([
      dueOf(store, [id], `heartbeat ${entity.machine} ${id}`),
      serverNow(store),
    ]);
    const when = due === null ? "" : `, ${due > nowMs ? "due " : ""}${dueText(due, nowMs)}`;
    await context.write(
      `${entity.machine}/${id} renewed, ${entity.state}${when} (version ${entity.version})\n`,
    );
  });
}
