import type { Progress } from "../fleet/fleet.js";
import type { Order, Report } from "./messages.js";

const EVERY_MS = 25;

type Counts = { -readonly [K in keyof Progress]: Progress[K] };

/** What a client process counts and tells of itself, and what it hears. */
export class Reports {
  readonly counts: Counts = { begun: 0, ended: 0, answered: 0, unknown: 0, notExecuted: 0, gaps: 0 };
  readonly #timer: NodeJS.Timeout;
  #told = -1;

  constructor(hear: (order: Order) => void) {
    process.on("message", (order: Order) => {
      if (order.kind === "probe") this.#tell({ kind: "probed", number: order.number, progress: this.counts });
      else hear(order);
    });
    // The runner has gone: nobody reads what this process writes.
    process.on("disconnect", () => process.exit(1));
    this.#timer = setInterval(() => this.#tellProgress(), EVERY_MS);
  }

  ready(): void {
    this.#tell({ kind: "ready" });
  }

  problem(text: string): void {
    this.#tell({ kind: "problem", text });
  }

  /** The last word: what is told is on its way when this resolves. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await new Promise<void>((resolve) => {
      process.send?.({ kind: "progress", progress: this.counts } satisfies Report, () => resolve());
    });
    process.removeAllListeners("disconnect");
    process.disconnect();
  }

  #tellProgress(): void {
    const { begun, ended } = this.counts;
    if (begun + ended === this.#told) return;
    this.#told = begun + ended;
    this.#tell({ kind: "progress", progress: this.counts });
  }

  #tell(report: Report): void {
    process.send?.(report);
  }
}
