import { countText } from "../../contract/count-text.js";
import { validateMachine } from "../../machine/validate.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { defaultActor } from "../input/actor.js";
import { readDefinition } from "../input/machine-source.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeResult } from "../output/documents.js";
import { withLatchkey } from "../session.js";

/** Options of `apply`. */
export interface ApplyFlags {
  readonly file?: string;
  readonly map?: ReadonlyMap<string, string>;
  readonly dryRun?: boolean;
  readonly actor?: string;
  readonly errorUnchanged?: boolean;
}

/** Installs a machine and prints the differences from the installed version. */
export async function applyDefinition(
  context: CliContext,
  settings: Settings,
  flags: ApplyFlags,
): Promise<void> {
  const { file, map, dryRun = false, actor = defaultActor(context.env), errorUnchanged } = flags;
  const definition = await readDefinition(file, settings);
  for (const { path, message } of validateMachine(definition).warnings) {
    context.note(`warning: ${path}: ${message}`);
  }
  await withLatchkey(settings, async (latchkey) => {
    const applied = await latchkey.apply(definition, {
      ...{ actor, dryRun },
      ...(map !== undefined && { map: Object.fromEntries(map) }),
    });
    const { machine, version, before, changed, differences, retired, moved } = applied;
    if (!changed && moved === 0 && errorUnchanged === true) context.exitWith(EXIT.unchanged);
    const updated = before === null ? "installed" : `updated from version ${before}`;
    const lines = [
      `machine/${machine} ${changed ? updated : "unchanged"} (version ${version}${dryRun ? ", dry run" : ""})`,
      ...differences.map((line) => `  ${line}`),
      ...Object.entries(retired).map(([state, n]) => `  ${entityCount(n)} in dropped state ${state}`),
      ...(moved > 0 ? [`  ${entityCount(moved)} moved`] : []),
    ];
    const document = asJson({ ...(dryRun && { dryRun }), ...applied }, machine);
    await writeResult(context, settings.format, document, `${lines.join("\n")}\n`);
  });
}

function entityCount(n: number): string {
  return countText(n, "entity", "entities");
}
