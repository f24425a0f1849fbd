import { once } from "node:events";
import { constants } from "node:os";
import type { CliContext } from "./context.js";
import { makePaint, type Paint, takesColour } from "./output/paint.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Connects a command with this process. */
export class ProcessContext implements CliContext {
  readonly env = process.env;
  readonly isTerminal = process.stdout.isTTY === true;
  #coloured = true;
  #abort: AbortController | undefined;
  #isVerdict = false;
  #isPipeClosed = false;

  constructor() {
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      this.#isPipeClosed = true;
      if (error.code === "EPIPE") return this.#endUnread();
      this.note(`error: cannot write to standard output (${error.code})`);
      this.#stop(1);
    });
    // There is no other place to report it.
    process.stderr.on("error", () => {});
    for (const signal of SIGNALS) process.on(signal, () => this.#stop(128 + constants.signals[signal]));
  }

  get columns(): number {
    return process.stdout.columns ?? 80;
  }

  get paint(): Paint {
    return makePaint(this.#coloured && takesColour(process.stdout, this.env));
  }

  get paintNote(): Paint {
    return makePaint(this.#coloured && takesColour(process.stderr, this.env));
  }

  /** Turns colours off, as the user asked. */
  withoutColour(): void {
    this.#coloured = false;
  }

  async write(text: string): Promise<void> {
    if (this.#isPipeClosed || process.stdout.write(text)) return;
    await Promise.race([once(process.stdout, "drain"), once(process.stdout, "close")]).catch(() => {});
  }

  note(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  exitWith(code: number): void {
    if (!this.isStopped) process.exitCode = code;
  }

  /** True after a signal, or after the output pipe has closed. */
  get isStopped(): boolean {
    return this.#abort?.signal.aborted === true;
  }

  interruption(isVerdict = false): AbortSignal {
    this.#abort ??= new AbortController();
    this.#isVerdict = isVerdict;
    if (this.#isPipeClosed) this.#endUnread();
    return this.#abort.signal;
  }

  /** Ends a command whose output is its only result. */
  #endUnread(): void {
    if (!this.#isVerdict) this.#abort?.abort();
  }

  /** Lets a command that listens end by itself; a second signal ends the process at once. */
  #stop(code: number): void {
    if (this.#abort === undefined || this.isStopped) process.exit(code);
    process.exitCode = code;
    this.#abort.abort();
  }
}
