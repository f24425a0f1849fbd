import type { Hold } from "latchkey";
import type { HeldRecord } from "../history/timed-records.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";

const LOOK_MS = 25;

/**
 * Asks a hold again and again whether it is lost, as work would that goes step by step, and writes down up to when it was
 * not. Where this process stood still, it is as if it had been asked in time: it could do nothing in between.
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
    if (hold.signal.aborted) return; // lost from the first: it never believed so
    this.#look();
    hold.signal.addEventListener("abort", () => this.#write("lost", String(hold.signal.reason)));
  }

  /** It let go by itself. */
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
