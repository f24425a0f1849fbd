import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withConditions } from "../input/change-flags.js";
import { ENTITY_FORMATS, withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** What must still be so, as it was typed. */
export interface HeartbeatFlags {
  readonly ifVersion?: number;
  readonly ifState?: string;
}

/** `latchkey heartbeat <id>`: renews the lease of the state that an entity is in. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("heartbeat <id>")
    .description("renew the lease of an entity's state; no change, no event");
  withConditions(command).action(async (id: string, flags: HeartbeatFlags) => {
    const { sendHeartbeat } = await import("../actions/heartbeat.js");
    await sendHeartbeat(context, settingsOf(command, context), id, flags);
  });
  withFormats(command, ...ENTITY_FORMATS);
  withExamples(command, "latchkey heartbeat a1", "latchkey heartbeat w1 --if-version 2 -m task");
}
