import type { Applied } from "../../install/apply.js";
import { validateMachine } from "../../machine/validate.js";
import type { ApplyFlags } from "../commands/apply.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { defaultActor } from "../input/actor.js";
import { givenMachine } from "../input/machine-source.js";
import type { Settings } from "../input/settings.js";
import { withLatchkey } from "../session.js";

/** Installs a machine and says what is different from before. */
export async function applyFile(context: CliContext, settings: Settings, flags: ApplyFlags): Promise<void> {
  const definition = await givenMachine(flags.file, settings);
  for (const { path, message } of validateMachine(definition).warnings) {
    context.note(`warning: ${path}: ${message}`);
  }
  await withLatchkey(settings, async (latchkey) => {
    const applied = await latchkey.apply(definition, {
      actor: flags.actor ?? defaultActor(context.env),
      ...(flags.map !== undefined && { map: Object.fromEntries(flags.map) }),
      ...(flags.dryRun !== undefined && { dryRun: flags.dryRun }),
    });
    if (!applied.changed && applied.moved === 0 && flags.errorUnchanged === true) {
      context.exitWith(EXIT.unchanged);
    }
    if (settings.format === "json") {
      const dryRun = flags.dryRun === true ? { dryRun: true } : {};
      await context.write(`${JSON.stringify({ ...dryRun, ...applied })}\n`);
      return;
    }
    await context.write(appliedText(applied, flags.dryRun === true));
  });
}

function appliedText(applied: Applied, isDryRun: boolean): string {
  const { machine, version, before, changed, differences, retired, moved } = applied;
  const would = isDryRun ? "would be " : "";
  const note = isDryRun ? " (dry run)" : "";
  const what = before === null ? "installed" : `updated from version ${before}`;
  const first = changed ? `${would}${what}` : "unchanged";
  return [
    `machine/${machine} ${first}: version ${version}${note}`,
    ...differences.map((line) => `  ${line}`),
    ...Object.entries(retired).map(([state, n]) => `  ${n} ${n === 1 ? "entity" : "entities"} in ${state}`),
    ...(moved > 0 ? [`  ${moved} moved`] : []),
  ]
    .join("\n")
    .concat("\n");
}
