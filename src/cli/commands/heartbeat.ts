import type { Command } from "commander";
import type { HeartbeatFlags } from "../actions/heartbeat.js";
import type { CliContext } from "../context.js";
import { withConditions } from "../input/change-options.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey heartbeat <id>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("heartbeat <id>")
    .description("renew the lease of the current state; creates no version and no event");
  withConditions(command).action(async (id: string, flags: HeartbeatFlags) => {
    const { sendHeartbeat } = await import("../actions/heartbeat.js");
    await sendHeartbeat(context, settingsOf(command, context), id, flags);
  });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(command, "latchkey heartbeat a1", "latchkey heartbeat w1 --if-version 2 -m task");
}
