import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Connection } from "../valkey/connection.js";
import { callListener } from "../valkey/failed-listener.js";
import { OfflineError } from "../valkey/failure.js";
import { hint } from "../valkey/hint.js";
import type { MachineLocation } from "../valkey/keys.js";

/** Callbacks of a reader for servers that are unreachable. */
export interface OutageListeners {
  /**
   * Called once for each server that is unreachable for half of the `timeout` of a call, and again after it was back. Its
   * events follow when it, or its replica, replies. @default logs a warning
   */
  readonly onAway?: (why: NotExecutedError) => void;
  /** Called once when no server is unreachable any more. */
  readonly onBack?: () => void;
}

/** The machine whose events are read, and where reports go without a listener. */
interface ReadLog {
  readonly connection: Pick<Connection, "logger">;
  readonly location: Pick<MachineLocation, "machine">;
}

/** Reports the servers of an event log that are unreachable, each once, and when all of them are back. */
export class Outage {
  readonly #log: ReadLog;
  readonly #listeners: OutageListeners;
  /** The partitions that cannot be reached, and the addresses of their servers. */
  readonly #away = new Map<number, string>();

  constructor(log: ReadLog, listeners: OutageListeners) {
    this.#log = log;
    this.#listeners = listeners;
  }

  /** Notes that a partition cannot be reached. */
  begin(partition: number, { address, place }: Pick<Connection, "address" | "place">): void {
    const isReported = [...this.#away.values()].includes(address);
    this.#away.set(partition, address);
    if (isReported) return;
    const { machine } = this.#log.location;
    const text = `some events of ${machine} are delivered later: ${hint(new OfflineError(place), place)}`;
    const { onAway } = this.#listeners;
    if (onAway === undefined) this.#log.connection.logger.warn({ machine, server: address }, text);
    else this.#call("onAway", onAway, new NotExecutedError(text, ""));
  }

  /** Notes that a partition can be reached. */
  end(partition: number): void {
    if (this.#away.delete(partition) && this.#away.size === 0)
      this.#call("onBack", this.#listeners.onBack, undefined);
  }

  #call<T>(name: string, listener: ((news: T) => void) | undefined, news: T): void {
    callListener(this.#log.connection.logger, `${name} of an event log`, listener, news);
  }
}
