import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { type ChangeFlags, withChangeOptions, withSet } from "../input/change-flags.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** `latchkey create <id>`: brings an entity into being in the initial state. */
export function register(program: Command, context: CliContext): void {
  const command = program.command("create <id>").description("create an entity in the initial state");
  withChangeOptions(withSet(command)).action(async (id: string, flags: ChangeFlags) => {
    const { runChange } = await import("../actions/change.js");
    await runChange(context, command, flags, { verb: "create", id });
  });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(
    command,
    "latchkey create a1 --set taskId=t1",
    `latchkey create o-1 -m order --set 'items=["book","pen"]' --reason "web shop"`,
  );
}
