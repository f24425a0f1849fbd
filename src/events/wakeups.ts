import type { Change } from "../contract/document.js";
import { ConnectError } from "../errors/connect-error.js";
import { mayPassSoon } from "../valkey/connect-error.js";
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
  #endWait = (): void => {};
  /** True if the next wait ends at once. */
  #isRung = false;
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
    this.#endWait();
  }

  /** Ends the wait that is under way, or else the next one, although no partition is due. */
  ring(): void {
    this.#isRung = true;
    this.#endWait();
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
   * Waits until a partition is due, or `ring` or `stop` is called.
   *
   * @param limitMs longest time to wait. By default all partitions are due after a time so short that a frozen server is
   * noticed.
   */
  async wait(limitMs?: number): Promise<void> {
    if (this.#isStopped) return;
    this.#joining ??= this.#join();
    if (this.#due.size === 0 && !this.#isRung) {
      const onTime = limitMs === undefined ? () => this.addAll() : () => this.ring();
      const timer = setTimeout(onTime, limitMs ?? this.#pollMs);
      await new Promise<void>((resolve) => {
        this.#endWait = resolve;
      });
      clearTimeout(timer);
    }
    this.#isRung = false;
  }

  get #pollMs(): number {
    return Math.ceil(this.#store.connection.silenceMs / 2);
  }

  /** Ends all waiting for good. */
  stop(): void {
    this.#isStopped = true;
    this.#endWait();
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
