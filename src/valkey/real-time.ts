// The timers and clocks of Node. Test frameworks replace the global ones (`jest.useFakeTimers()`), and a call to a server
// would then never end. Each is read once, because some frameworks also replace the members of Node's modules.
import * as timers from "node:timers";
import * as promises from "node:timers/promises";

export { performance } from "node:perf_hooks";
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;

/** Waits for a number of ms. */
export const pause = promises.setTimeout;

/** Waits for the next turn of the event loop. */
export const turn = promises.setImmediate;

/** Runs a function after the current one, before promises. jest gives its tests a copy of `process`, whose `nextTick` it replaces. */
export const { nextTick } = process.getBuiltinModule("node:process");

/** The class with the wall clock of this machine. If the global one was replaced before, that of a new context is real. */
export const WallClock: Pick<typeof Date, "now"> = /\[native code\]/.test(String(Date))
  ? Date
  : process.getBuiltinModule("node:vm").runInNewContext("Date");
