import type { Progress } from "../fleet/fleet.js";
import type { Instruction, Report } from "./messages.js";

const EVERY_MS = 25;

type Counts = { -readonly [K in keyof Progress]: Progress[K] };

/** Counts calls, sends reports to the runner and receives its instructions. */
export class Reports {
  readonly counts: Counts = { begun: 0, ended: 0, answered: 0, unknown: 0, notExecuted: 0, gaps: 0 };
  readonly #timer: NodeJS.Timeout;
  #sentCount = -1;

  constructor(onInstruction: (instruction: Instruction) => void) {
    process.on("message", (instruction: Instruction) => {
      if (instruction.kind === "probe")
        this.#send({ kind: "probed", number: instruction.number, progress: this.counts });
      else onInstruction(instruction);
    });
    // The runner has exited, so nobody reads what this process writes.
    process.on("disconnect", () => process.exit(1));
    this.#timer = setInterval(() => this.#sendProgress(), EVERY_MS);
  }

  ready(): void {
    this.#send({ kind: "ready" });
  }

  problem(text: string): void {
    this.#send({ kind: "problem", text });
  }

  /** Sends the last report, and resolves when it has been sent. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await new Promise<void>((resolve) => {
      process.send?.({ kind: "progress", progress: this.counts } satisfies Report, () => resolve());
    });
    process.removeAllListeners("disconnect");
    process.disconnect();
  }

  #sendProgress(): void {
    const { begun, ended } = this.counts;
    if (begun + ended === this.#sentCount) return;
    this.#sentCount = begun + ended;
    this.#send({ kind: "progress", progress: this.counts });
  }

  #send(report: Report): void {
    process.send?.(report);
  }
}
