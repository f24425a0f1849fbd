import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withConditions } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";

/** Adds `latchkey heartbeat <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("heartbeat <id>")
    .description("renew the lease of the current state; creates no version and no event");
  withConditions(command).action(
    listener(context, async () => (await import("../actions/heartbeat.js")).sendHeartbeat),
  );
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(command, "latchkey heartbeat a1", "latchkey heartbeat w1 --if-version 2 -m task");
}
