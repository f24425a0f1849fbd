import type { TransitionOptions } from "../../changes/options.js";
import type { Change, Replay } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import type { JsonValue } from "../../machine/json-value.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { defaultActor } from "../input/actor.js";
import type { Settings } from "../input/settings.js";
import { stored, writeResult } from "../output/documents.js";
import { explained } from "../rejection.js";
import { withEntities } from "../session.js";

/** Options of the commands that change an entity. */
export interface ChangeFlags {
  readonly set?: ReadonlyMap<string, JsonValue>;
  readonly unset?: readonly string[];
  readonly ifVersion?: number;
  readonly ifState?: string;
  readonly op?: string;
  readonly seen?: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly errorUnchanged?: boolean;
}

/** An action that changes an entity. */
export type ChangeAction = (
  context: CliContext,
  settings: Settings,
  id: string,
  flags: ChangeFlags,
) => Promise<void>;

/** One change of one entity. */
export interface EntityChange {
  readonly id: string;
  /** The state to enter, if the change moves the entity. */
  readonly to?: string;
  readonly send: (entities: Entities, options: TransitionOptions) => Promise<Change | Replay>;
  /** Describes the accepted change. */
  readonly summary: (from: string | null, state: string) => string;
}

/**
 * Makes one change of one entity and prints the result.
 *
 * @throws CliError for a rejection, with the commands that are possible instead.
 */
export async function runChange(
  context: CliContext,
  settings: Settings,
  flags: ChangeFlags,
  change: EntityChange,
): Promise<void> {
  const { format } = settings;
  const { id, to, send, summary } = change;
  const { errorUnchanged, set, actor = defaultActor(context.env), ...others } = flags;
  const options = { ...others, actor, ...(set !== undefined && { set: Object.fromEntries(set) }) };
  await withEntities(settings, async (entities, store) => {
    try {
      const document = await send(entities, options);
      const { from, state, version, opVersion } = document;
      const isReplay = opVersion !== undefined;
      if (isReplay && errorUnchanged === true) context.exitWith(EXIT.unchanged);
      const what = isReplay
        ? `unchanged: ${options.op} was already applied at version ${opVersion}; now ${state}`
        : summary(from ?? null, state);
      const { text } = stored(document);
      const isDryRun = flags.dryRun === true;
      await writeResult(
        context,
        format,
        { id, text: isDryRun ? `{"dryRun":true,${text.slice(1)}` : text },
        `${entities.name}/${id} ${what} (version ${version}${isDryRun ? ", dry run" : ""})\n`,
      );
    } catch (error) {
      throw await explained(error, { entities, store, settings, to });
    }
  });
}
