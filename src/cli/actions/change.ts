import type { Command } from "commander";
import type { TransitionOptions } from "../../changes/options.js";
import type { Result } from "../../changes/result.js";
import { unwrap } from "../../changes/result.js";
import { documentText } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import { RejectedError } from "../../errors/rejected-errors.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { defaultActor } from "../input/actor.js";
import type { ChangeFlags } from "../input/change-flags.js";
import { isForPeople } from "../input/formats.js";
import { type Settings, settingsOf } from "../input/settings.js";
import { writeDocument } from "../output/documents.js";
import { explainedRefusal } from "../rejection.js";
import { withEntities } from "../session.js";
import { foresee, type IntendedChange, type Outlook } from "./dry-run.js";

type Done = Extract<Result, { readonly ok: true }>;

/**
 * Makes one change of one entity and says what came of it.
 *
 * @throws CliError for a refusal, with what is possible instead.
 */
export async function runChange(
  context: CliContext,
  command: Command,
  flags: ChangeFlags,
  change: Omit<IntendedChange, "options">,
): Promise<void> {
  const settings = settingsOf(command, context);
  const intended = { ...change, options: changeOptions(flags, context) };
  await withEntities(settings, async (entities, store) => {
    try {
      if (flags.dryRun === true) await tellOutlook(context, settings, entities, intended);
      else await tellResult(context, settings, flags, intended, await send(entities, intended));
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      const to = change.to === undefined ? {} : { to: change.to };
      throw await explainedRefusal(error, { entities, store, settings, ...to });
    }
  });
}

function changeOptions(flags: ChangeFlags, context: CliContext): TransitionOptions {
  const { set, unset, ifVersion, ifState, op, actor, reason, force } = flags;
  return {
    actor: actor ?? defaultActor(context.env),
    ...(set !== undefined && { set: Object.fromEntries(set) }),
    ...(unset !== undefined && { unset }),
    ...(ifVersion !== undefined && { ifVersion }),
    ...(ifState !== undefined && { ifState }),
    ...(op !== undefined && { op }),
    ...(reason !== undefined && { reason }),
    ...(force !== undefined && { force }),
  };
}

async function send(entities: Entities, { verb, id, to = "", options }: IntendedChange): Promise<Done> {
  const { set, unset, force, ...guards } = options;
  const result = await {
    create: () => entities.tryCreate(id, set, guards),
    transition: () => entities.tryTransition(id, to, options),
    patch: () => entities.tryPatch(id, options),
    remove: () => entities.tryRemove(id, guards),
  }[verb]();
  unwrap(result);
  return result as Done;
}

async function tellResult(
  context: CliContext,
  { format }: Settings,
  { errorUnchanged }: ChangeFlags,
  { verb, options }: IntendedChange,
  { outcome, document }: Done,
): Promise<void> {
  const { machine, id, state, version } = document;
  if (outcome === "REPLAYED" && errorUnchanged === true) context.exitWith(EXIT.unchanged);
  if (!isForPeople(format)) {
    await writeDocument(context, format, { machine, id, text: documentText(document) });
    return;
  }
  const what =
    outcome === "REPLAYED"
      ? `unchanged: ${options.op} was done before, at version ${document.opVersion}; now ${state}`
      : done(verb, document.from, state);
  await context.write(`${machine}/${id} ${what} (version ${version})\n`);
}

function done(verb: IntendedChange["verb"], from: string | null, state: string): string {
  return {
    create: `created, ${state}`,
    transition: `${from} -> ${state}`,
    patch: "patched",
    remove: `removed, was ${state}`,
  }[verb];
}

async function tellOutlook(
  context: CliContext,
  { format }: Settings,
  entities: Entities,
  intended: IntendedChange,
): Promise<void> {
  const outlook = await foresee(entities, intended);
  const { verb, id } = intended;
  if (!isForPeople(format)) {
    const from = outlook.current?.state ?? null;
    const { state, version } = outlook;
    const text = JSON.stringify({ dryRun: true, verb, machine: entities.name, id, from, state, version });
    await writeDocument(context, format, { machine: entities.name, id, text });
    return;
  }
  await context.write(`${entities.name}/${id} would be ${would(verb, outlook)} (dry run)\n`);
}

function would(verb: IntendedChange["verb"], { current, state, version }: Outlook): string {
  return {
    create: `created, ${state}`,
    transition: `${current?.state} -> ${state} (version ${version})`,
    patch: `patched (version ${version})`,
    remove: `removed, is ${state}`,
  }[verb];
}
