import type { MissedEvents } from "./group.js";

/** What a handler is told besides the change. */
export interface Reacting {
  /** Which try this is, from 1. Tries of replicas that died count, those that a stop cut off do not. */
  readonly attempt: number;
  /** Aborted when another replica has taken the event over, or the reaction is told to stop at once. */
  readonly signal: AbortSignal;
}

/** Handles one event. Where it throws, or rejects, the event is tried again later. */
export type Handler<C> = (change: C, reacting: Reacting) => void | Promise<void>;

/** The same, of an event's text. */
export type TextHandler = (text: string, reacting: Reacting) => Promise<void>;

/** How a reaction works, with nothing left to default. */
export interface ReactionSettings {
  readonly from: "start" | "end";
  /** Events that are wanted, by type; none stands for all. */
  readonly types: readonly string[];
  readonly concurrency: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  readonly deadLetterAfter: number;
  readonly takeOverMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onMissed: ((missed: MissedEvents) => void) | undefined;
}
