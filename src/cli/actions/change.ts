import type { TransitionOptions } from "../../changes/options.js";
import type { Change, Replay } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import type { JsonValue } from "../../machine/json-value.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { defaultActor } from "../input/actor.js";
import type { Settings } from "../input/settings.js";
import { asJson, stored, writeResult } from "../output/documents.js";
import { explained } from "../rejection.js";
import { withEntities } from "../session.js";
import { type ChangeTarget, dryRun } from "./dry-run.js";

/** Options of the commands that change an entity. */
export interface ChangeFlags {
  readonly set?: ReadonlyMap<string, JsonValue>;
  readonly unset?: readonly string[];
  readonly ifVersion?: number;
  readonly ifState?: string;
  readonly op?: string;
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
export interface EntityChange extends ChangeTarget {
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
  const { verb, id, to, send, summary } = change;
  const options = changeOptions(flags, context);
  await withEntities(settings, async (entities, store) => {
    const machine = entities.name;
    try {
      if (flags.dryRun === true) {
        const { from, state, version } = await dryRun(entities, change, options);
        const document = asJson({ dryRun: true, verb, machine, id, from, state, version }, id);
        const text = `${machine}/${id} ${summary(from, state)} (version ${version}, dry run)\n`;
        return await writeResult(context, format, document, text);
      }
      const document = await send(entities, options);
      const { from, state, version, opVersion } = document;
      const isReplay = opVersion !== undefined;
      if (isReplay && flags.errorUnchanged === true) context.exitWith(EXIT.unchanged);
      const what = isReplay
        ? `unchanged: ${options.op} was already applied at version ${opVersion}; now ${state}`
        : summary(from ?? null, state);
      await writeResult(context, format, stored(document), `${machine}/${id} ${what} (version ${version})\n`);
    } catch (error) {
      throw await explained(error, { entities, store, settings, to });
    }
  });
}

function changeOptions(flags: ChangeFlags, { env }: CliContext): TransitionOptions {
  const { dryRun, errorUnchanged, set, actor = defaultActor(env), ...options } = flags;
  return { ...options, actor, ...(set !== undefined && { set: Object.fromEntries(set) }) };
}
