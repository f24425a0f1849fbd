import { countText } from "../../contract/count-text.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeResult } from "../output/documents.js";
import { withLatchkey } from "../session.js";

/** Options of `init`. */
export interface InitFlags {
  readonly partitions?: number;
  readonly errorUnchanged?: boolean;
}

/** Prepares a namespace. */
export async function initNamespace(
  context: CliContext,
  settings: Settings,
  flags: InitFlags,
): Promise<void> {
  await withLatchkey(settings, async (latchkey) => {
    const { namespace } = latchkey;
    const changed = latchkey.partitions === undefined;
    const { layout, partitions } = await latchkey.init(flags.partitions);
    if (!changed && flags.errorUnchanged === true) context.exitWith(EXIT.unchanged);
    if (changed && flags.partitions === undefined && partitions > 1) {
      const share = "the default on a cluster: each server holds a share of them";
      context.note(`${partitions} partitions are ${share}; the number cannot be changed later`);
    }
    const what = changed ? "initialized" : "unchanged";
    const text = `namespace/${namespace} ${what}: ${countText(partitions, "partition")}, layout ${layout}\n`;
    await writeResult(context, settings.format, asJson({ namespace, layout, partitions, changed }), text);
  });
}
