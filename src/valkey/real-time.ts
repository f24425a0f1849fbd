// The timers and clocks of Node. Test frameworks replace the global ones (`jest.useFakeTimers()`), and a call to a server
// would then never end. Each is read once, because some frameworks also replace the members of Node's modules.
import * as timers from "node:timers";
import * as promises from "node:timers/promises";
import { runInNewContext, runInThisContext } from "node:vm";

export { performance } from "node:perf_hooks";
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;

/** Waits for a number of ms. */
export const pause = promises.setTimeout;

/** Waits for the next turn of the event loop. */
export const turn = promises.setImmediate;

/** The globals of the program. jest runs tests in a context of its own, and replaces the copies there. */
const main: typeof globalThis = runInThisContext("globalThis");

/** Runs a function after the current one, and before promises. */
export const { nextTick } = main.process;

/** The class with the wall clock of this machine: that of a new context if another framework has replaced it. */
export const WallClock: Pick<typeof Date, "now"> =
  "isFake" in main.Date ? runInNewContext("Date") : main.Date;
