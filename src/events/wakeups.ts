import type { Change } from "../contract/document.js";
import { ConnectError } from "../errors/connect-error.js";
import { mayPassSoon } from "../valkey/connect-error.js";
import { DEFAULT_SILENCE_MS } from "../valkey/connection-options.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { partitionOf } from "../valkey/partition.js";
import { clearTimeout, setTimeout } from "../valkey/real-time.js";
import { type Member, Subscriber } from "./subscriber.js";

/**
 * Notes for a reader which partitions of the event log may have new entries. A published change is only a hint, which can be
 * lost. So all partitions are due after each interruption, and from time to time.
 */
export class Wakeups implements Member {
  readonly #store: Pick<MachineStore, "connection" | "location">;
  readonly #due = new Set<number>();
  #joining: Promise<boolean> | undefined;
  #ring = (): void => {};
  #isStopped = false;

  constructor(store: Pick<MachineStore, "connection" | "location">) {
    this.#store = store;
    this.addAll();
  }

  /** Returns the partitions to read. They are not due any more. */
  take(): number[] {
    const partitions = [...this.#due];
    this.#due.clear();
    return partitions;
  }

  add(partition: number): void {
    this.#due.add(partition);
    this.#ring();
  }

  addAll(): void {
    for (let partition = 0; partition < this.#store.location.partitions; partition += 1) this.add(partition);
  }

  onChange({ id }: Change): void {
    this.add(partitionOf(id, this.#store.location.partitions));
  }

  onMissed(): void {
    this.addAll();
  }

  /**
   * Waits until a partition is due or `stop` is called.
   *
   * @param limitMs time after which all partitions are due; by default so short that a frozen server is noticed
   */
  async wait(limitMs = this.#pollMs): Promise<void> {
    if (this.#isStopped) return;
    this.#joining ??= this.#join();
    if (this.#due.size > 0) return;
    const timer = setTimeout(() => this.addAll(), limitMs);
    await new Promise<void>((resolve) => {
      this.#ring = resolve;
    });
    clearTimeout(timer);
  }

  get #pollMs(): number {
    return Math.ceil((this.#store.connection.client.options.socketTimeout ?? DEFAULT_SILENCE_MS) / 2);
  }

  /** Ends all waiting for good. */
  stop(): void {
    this.#isStopped = true;
    this.#ring();
    const { connection, location } = this.#store;
    void this.#joining?.then((hasJoined) => {
      if (hasJoined) Subscriber.of(connection).leave(location, this);
    });
  }

  /** @returns false if the server cannot be reached, so that the next wait retries, or the user may not subscribe */
  async #join(): Promise<boolean> {
    const { connection, location } = this.#store;
    try {
      await Subscriber.of(connection).join(location, this);
      this.addAll();
      return true;
    } catch (error) {
      if (error instanceof ConnectError && mayPassSoon(error)) this.#joining = undefined;
      return false;
    }
  }
}
