import {
  checkFlag,
  checkFunctions,
  checkOptions,
  checkSignal,
  refuse,
  shortText,
} from "../contract/arguments.js";
import type { EventsOptions } from "./log.js";
import type { SubscribeOptions } from "./subscribe.js";

const EVENTS: ReadonlySet<string> = new Set<keyof EventsOptions>(["after", "follow", "signal"]);
const SUBSCRIBE: ReadonlySet<string> = new Set<keyof SubscribeOptions>(["onMissed"]);

/** @throws ContractError with code BADARG where an option is none, or can't be what it is */
export function checkEvents(options: EventsOptions): void {
  checkOptions(options, EVENTS);
  checkFlag("follow", options.follow);
  checkSignal(options.signal);
}

/** The same for a subscription and its listener. */
export function checkSubscription(listener: unknown, options: SubscribeOptions): void {
  if (typeof listener !== "function")
    refuse(`the listener must be a function, not ${shortText(listener)}; it is called with each change`);
  checkOptions(options, SUBSCRIBE);
  checkFunctions({ onMissed: options.onMissed });
}
