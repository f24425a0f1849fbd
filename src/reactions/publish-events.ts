import { createHash } from "node:crypto";
import { lifecycleMessage } from "../contract/agent-documents.js";
import { checkOptions, refuse, shortText } from "../contract/arguments.js";
import type { Fields } from "../contract/own-fields.js";
import type { AgentEvent, AgentState } from "../machine/agent.js";
import { channelOf } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { sendMessage } from "../valkey/send-message.js";
import { type Reaction, react } from "./reaction.js";
import { OPTIONS, type ReactOptions } from "./settings.js";

/** Options of `publishEvents`, and of its reaction. Give all replicas the same. */
export interface PublishEventsOptions extends Omit<ReactOptions, "on" | "delay"> {
  /** Name of the reaction; each channel needs one of its own. @default "publish-", then the name of the channel */
  readonly name?: string;
}

/** The events that the in-process service publishes. */
const PUBLISHED: readonly AgentEvent[] = [
  "agent.spawned",
  "agent.running",
  "agent.completed",
  "agent.failed",
  "agent.killed",
];

/** The longest name of a reaction, less `publish-`. */
const LONGEST = 24;

/** Makes a name from a channel. Two channels with one reaction would share the events between them. */
function reactionName(channel: string): string {
  const words = channel.replace(/[^A-Za-z0-9]+/g, "-").toLowerCase();
  if (words.length <= LONGEST) return `publish-${words}`;
  const digest = createHash("sha1").update(channel).digest("hex").slice(0, 8);
  return `publish-${words.slice(0, LONGEST - 9)}-${digest}`;
}

/** Starts a reaction that publishes the events of agents on another channel, as the in-process service does. */
export async function publishEvents(
  store: MachineStore,
  channel: string,
  options: PublishEventsOptions,
): Promise<Reaction> {
  checkOptions(options, ["name", ...OPTIONS.filter((option) => option !== "on" && option !== "delay")]);
  const { connection, location } = store;
  if (typeof channel !== "string" || channel === "")
    refuse(`channel must be the name of a channel, not ${shortText(channel)}`);
  if (channel === channelOf(location))
    refuse(`latchkey itself publishes changes on the channel ${channel}; choose another one`);
  const { name = reactionName(channel), ...others } = options;
  return react<AgentState, Fields>(
    store,
    name,
    (change) => sendMessage(connection, channel, lifecycleMessage(change)),
    { ...others, on: PUBLISHED },
  );
}
