import { once } from "node:events";
import { constants } from "node:os";
import type { CliContext } from "./context.js";
import { makePaint, type Paint, takesColour } from "./output/paint.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The context of a command that runs as this process. */
export class ProcessContext implements CliContext {
  readonly env = process.env;
  readonly isTerminal = process.stdout.isTTY === true;
  #coloured = true;
  #abort: AbortController | undefined;
  #isVerdict = false;
  #readerIsGone = false;

  constructor() {
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      this.#readerIsGone = true;
      if (error.code === "EPIPE") return this.#goUnread();
      this.note(`error: can't write to standard output (${error.code})`);
      this.#stop(1);
    });
    // Nobody is left to read what would be said about it.
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

  /** Takes colours away for good: the user asked for it. */
  withoutColour(): void {
    this.#coloured = false;
  }

  async write(text: string): Promise<void> {
    if (this.#readerIsGone || process.stdout.write(text)) return;
    await Promise.race([once(process.stdout, "drain"), once(process.stdout, "close")]).catch(() => {});
  }

  note(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  exitWith(code: number): void {
    if (!this.isStopped) process.exitCode = code;
  }

  /** The process was told to stop, or has no reader any more. */
  get isStopped(): boolean {
    return this.#abort?.signal.aborted === true;
  }

  interruption(isVerdict = false): AbortSignal {
    this.#abort ??= new AbortController();
    this.#isVerdict = isVerdict;
    if (this.#readerIsGone) this.#goUnread();
    return this.#abort.signal;
  }

  /** What would only be read is not worth going on for; what was asked for, and its exit code, is. */
  #goUnread(): void {
    if (!this.#isVerdict) this.#abort?.abort();
  }

  /** The first time lets a command that asked for it wind up; the second time does not wait. */
  #stop(code: number): void {
    if (this.#abort === undefined || this.isStopped) process.exit(code);
    process.exitCode = code;
    this.#abort.abort();
  }
}
