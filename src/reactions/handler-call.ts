import type { Change } from "../contract/document.js";
import { codeOf } from "../errors/code-of.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { durationText } from "../machine/duration.js";
import { Deadline } from "../valkey/deadline.js";
import { thrownDetail } from "../valkey/thrown-text.js";
import type { HandlerSettings } from "./handler-settings.js";

/** Message for the log if a handler does not end. */
export const IGNORED_SIGNAL = "a handler ignores its signal; its result no longer counts";

/** One attempt to handle a change. */
export interface HandlerCall {
  readonly change: Change;
  readonly attempt: number;
  readonly abort: AbortController;
  /** Called if the handler still runs long after `handlerTimeout`, and is not waited for any longer. */
  readonly onIgnored: () => void;
}

/**
 * Calls a handler, within `handlerTimeout`. After that it aborts the handler, and waits for as long again, so that the
 * handler does not run beside its retry.
 *
 * @returns the handler's error, undefined if it succeeded
 */
export async function callHandler(
  settings: HandlerSettings,
  { change, attempt, abort, onIgnored }: HandlerCall,
): Promise<string | undefined> {
  const { handlerMs } = settings;
  const ended = (async () => settings.handle(change, { attempt, signal: abort.signal }))().then(
    () => undefined,
    (error: unknown) => thrownDetail(error),
  );
  if (handlerMs === undefined) return ended;
  try {
    return await Deadline.in(handlerMs).race(ended);
  } catch {
    const error = `the handler took longer than handlerTimeout (${durationText(handlerMs)})`;
    abort.abort(new LatchkeyError("TIMEDOUT", error));
    await Deadline.in(handlerMs).race(ended).catch(onIgnored);
    return error;
  }
}

/** Returns true if a handler was aborted by `handlerTimeout`, and not for another reason. */
export function isTimedOut({ reason }: AbortSignal): boolean {
  return codeOf(reason) === "TIMEDOUT";
}
