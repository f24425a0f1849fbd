import type { Hold } from "latchkey";
import type { HeldRecord } from "../history/timed-records.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";

const LOOK_MS = 25;

/**
 * Checks repeatedly whether a hold is lost, as work in small steps does, and records until when it was not. If this
 * process was frozen, it counts as if it had checked in time: it could do nothing meanwhile.
 */
export class HoldWatch {
  readonly #process: string;
  readonly #hold: Hold;
  readonly #since: string;
  readonly #history: HistoryWriter;
  readonly #at = monotonicMs();
  #until = this.#at;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(process: string, hold: Hold, since: string, history: HistoryWriter) {
    this.#process = process;
    this.#hold = hold;
    this.#since = since;
    this.#history = history;
    if (hold.signal.aborted) return; // it was lost from the start
    this.#look();
    hold.signal.addEventListener("abort", () => this.#write("lost", String(hold.signal.reason)));
  }

  /** Records that the process released the entity itself. */
  end(how: "closed" | "changed"): void {
    if (!this.#hold.signal.aborted) this.#write(how);
  }

  #look(): void {
    const next = monotonicMs() + LOOK_MS;
    this.#timer = setTimeout(() => {
      if (this.#hold.signal.aborted) return;
      this.#until = next;
      this.#look();
    }, LOOK_MS);
  }

  #write(ended: HeldRecord["ended"], why?: string): void {
    clearTimeout(this.#timer);
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#history.append({
      kind: "held",
      process: this.#process,
      id: this.#hold.id,
      since: this.#since,
      at: this.#at,
      until: this.#until,
      ended,
      ...(why !== undefined && { why }),
    });
    this.#history.flush();
  }
}
