import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientSettings, Instruction, Report } from "../client/messages.js";
import type { ClientProcess, Progress, Role } from "./fleet.js";

const PROGRAM = fileURLToPath(new URL("../client/main.js", import.meta.url));
const TIMED_PROGRAM = fileURLToPath(new URL("../client/timed-main.js", import.meta.url));
const TIMED: ReadonlySet<Role> = new Set(["holder", "sweeper", "reactor"]);
export const NOTHING: Progress = { begun: 0, ended: 0, answered: 0, unknown: 0, notExecuted: 0, gaps: 0 };

/** Adds up the progress of two processes. */
export function sum(a: Progress, b: Progress): Progress {
  return {
    begun: a.begun + b.begun,
    ended: a.ended + b.ended,
    answered: a.answered + b.answered,
    unknown: a.unknown + b.unknown,
    notExecuted: a.notExecuted + b.notExecuted,
    gaps: a.gaps + b.gaps,
  };
}

/** Settings that all client processes share. */
export type Common = Pick<ClientSettings, "seed" | "url" | "namespace" | "timeoutMs"> & {
  readonly folder: string;
};

/** Starts, kills and restarts one client process. */
export class Client implements ClientProcess {
  readonly name: string;
  readonly role: Role;
  readonly files: string[] = [];
  readonly #common: Common;
  readonly #concurrency: number;
  readonly #onProblem: (text: string) => void;
  #child: ChildProcess | undefined;
  #lives = 0;
  /** Progress of previous lives. */
  #previous = NOTHING;
  #current = NOTHING;
  #probes = new Map<number, (progress: Progress) => void>();
  #nextProbe = 0;
  #isKilled = false;
  #isStopped = false;
  rate = 0;
  generation = 0;
  /** True if it ended by itself. */
  hasFailed = false;

  constructor(
    name: string,
    role: Role,
    concurrency: number,
    common: Common,
    onProblem: (text: string) => void,
  ) {
    this.name = name;
    this.role = role;
    this.#concurrency = concurrency;
    this.#common = common;
    this.#onProblem = onProblem;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child?.connected === true;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get progress(): Progress {
    return sum(this.#previous, this.#current);
  }

  async start(): Promise<void> {
    const { folder, ...common } = this.#common;
    const file = join(folder, `${this.name}.${this.#lives}.jsonl`);
    const before = this.files.at(-1);
    this.files.push(file);
    const settings: ClientSettings = {
      ...common,
      name: this.name,
      role: this.role,
      life: this.#lives,
      file,
      ...(before !== undefined && { before }),
      concurrency: this.#concurrency,
      generation: this.generation,
      rate: this.rate,
    };
    this.#lives += 1;
    this.#previous = this.progress;
    this.#current = NOTHING;
    this.#isKilled = false;
    const program = TIMED.has(this.role) ? TIMED_PROGRAM : PROGRAM;
    const child = fork(program, [JSON.stringify(settings)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child = child;
    const ready = new Promise<void>((resolve, reject) => {
      child.on("message", (report: Report) => {
        if (report.kind === "ready") resolve();
        else this.#onReport(report);
      });
      child.once("exit", (code) => {
        reject(new Error(`${this.name} ended before it was ready`));
        for (const settle of this.#probes.values()) settle(this.progress);
        if (code === 0 || this.#isKilled) return;
        this.hasFailed = true;
        // A signal to the whole group may end it before this process receives the same signal.
        setImmediate(() => this.#onProblem(`${this.name} ended by itself (exit ${code})`));
      });
    });
    await ready;
  }

  async kill9(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#isKilled = true;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  async restart(): Promise<void> {
    await this.kill9();
    await this.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#child?.kill("SIGSTOP");
  }

  cont(): void {
    this.#isStopped = false;
    this.#child?.kill("SIGCONT");
  }

  async probe(): Promise<Progress> {
    if (!this.isRunning || this.#isStopped) return this.progress;
    const number = this.#nextProbe;
    this.#nextProbe += 1;
    const answered = new Promise<Progress>((resolve) => this.#probes.set(number, resolve));
    this.send({ kind: "probe", number });
    const progress = await answered;
    this.#probes.delete(number);
    return progress;
  }

  send(instruction: Instruction): void {
    if (instruction.kind === "rate") this.rate = instruction.rate;
    if (instruction.kind === "generation") this.generation = instruction.generation;
    // It may have been killed a moment ago.
    if (this.isRunning) this.#child?.send(instruction, () => {});
  }

  /** Lets it finish its work, and waits until it has exited. */
  async finish(upTo?: string): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    this.send({ kind: "finish", ...(upTo !== undefined && { upTo }) });
    await ended;
  }

  #onReport(report: Report): void {
    if (report.kind === "problem") this.#onProblem(report.text);
    if (report.kind === "progress" || report.kind === "probed") this.#current = report.progress;
    if (report.kind === "probed") this.#probes.get(report.number)?.(this.progress);
  }
}
