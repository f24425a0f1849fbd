import type { Change } from "../contract/document.js";
import { ConnectError } from "../errors/connect-error.js";
import { GapError } from "../errors/gap-error.js";
import { isAway } from "../valkey/ask.js";
import { mayPassSoon } from "../valkey/connect-error.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { logCursor } from "./cursor.js";
import { firstPositions } from "./first-positions.js";
import { EventLog } from "./log.js";

/**
 * Reads the current end of the log: every change that is not yet visible in the entities follows it.
 *
 * @param isWanted returns whether to go on after the time limit of a call, if no server answers
 * @throws NotExecutedError if no server answers, or one rejects the read or the user
 */
export async function endCursor(store: MachineStore, what: string, isWanted = () => false): Promise<string> {
  const { connection } = store;
  for (;;) {
    try {
      return logCursor(await firstPositions(store, "end", what));
    } catch (error) {
      const isEnded = connection.isClosed || connection.isEnded;
      if (isEnded || !isWanted() || !isAway(error)) throw error;
    }
  }
}

/**
 * Yields the changes after a cursor, across lost connections and gaps, until the signal is aborted or latchkey is closed.
 *
 * @param onGap called at a gap: read the entities again; later changes follow
 * @throws ConnectError or NotExecutedError if the log cannot be read and a retry cannot help
 */
export async function* followLog<C extends Change<string, object> = Change>(
  store: MachineStore,
  cursor: string,
  signal: AbortSignal,
  onGap: (gap: GapError) => void,
): AsyncGenerator<C, void> {
  for (let after = cursor; !signal.aborted && !store.connection.isClosed; ) {
    const log = new EventLog<C>(store, { after, signal });
    try {
      yield* log;
    } catch (error) {
      if (error instanceof GapError) {
        after = error.cursor;
        onGap(error);
      } else if (error instanceof ConnectError && mayPassSoon(error)) {
        after = log.cursor ?? after; // the reader decides how long to wait
      } else throw error;
    }
  }
}
