import { documentText } from "../../contract/document.js";
import { RejectedError } from "../../errors/rejected-errors.js";
import { dueOf } from "../../reads/due.js";
import type { HeartbeatFlags } from "../commands/heartbeat.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { writeDocument } from "../output/documents.js";
import { dueText } from "../output/due-text.js";
import { explainedRefusal } from "../rejection.js";
import { serverNow } from "../server-now.js";
import { withEntities } from "../session.js";

/**
 * Renews a lease once, and says when the entity is due now.
 *
 * @throws CliError for a refusal, with what is possible instead.
 */
export async function sendHeartbeat(
  context: CliContext,
  settings: Settings,
  id: string,
  flags: HeartbeatFlags,
): Promise<void> {
  const { ifVersion, ifState } = flags;
  await withEntities(settings, async (entities, store) => {
    const guards = {
      ...(ifVersion !== undefined && { ifVersion }),
      ...(ifState !== undefined && { ifState }),
    };
    const entity = await entities.heartbeat(id, guards).catch(async (error: unknown) => {
      if (!(error instanceof RejectedError)) throw error;
      throw await explainedRefusal(error, { entities, store, settings });
    });
    const { machine, state, version } = entity;
    if (!isForPeople(settings.format)) {
      await writeDocument(context, settings.format, { machine, id, text: documentText(entity) });
      return;
    }
    const [[due = null], nowMs] = await Promise.all([dueOf(store, [id]), serverNow(store)]);
    const when = due === null ? "" : `, due ${dueText(due, nowMs)}`;
    await context.write(`${machine}/${id} renewed, ${state}${when} (version ${version})\n`);
  });
}
