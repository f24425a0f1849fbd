import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientOrder, Order, Report } from "../client/messages.js";
import type { ClientProcess, Fleet, Progress, Role } from "./fleet.js";

const PROGRAM = fileURLToPath(new URL("../client/main.js", import.meta.url));
const TIMED_PROGRAM = fileURLToPath(new URL("../client/timed-main.js", import.meta.url));
const TIMED: ReadonlySet<Role> = new Set(["holder", "sweeper", "reactor"]);
const NOTHING: Progress = { begun: 0, ended: 0, answered: 0, unknown: 0, notExecuted: 0, gaps: 0 };

function sum(a: Progress, b: Progress): Progress {
  return {
    begun: a.begun + b.begun,
    ended: a.ended + b.ended,
    answered: a.answered + b.answered,
    unknown: a.unknown + b.unknown,
    notExecuted: a.notExecuted + b.notExecuted,
    gaps: a.gaps + b.gaps,
  };
}

/** What all client processes share. */
export type Common = Pick<ClientOrder, "seed" | "url" | "namespace" | "timeoutMs"> & {
  readonly folder: string;
};

/** One client process, started, killed and started again by the runner. */
export class Client implements ClientProcess {
  readonly name: string;
  readonly role: Role;
  readonly files: string[] = [];
  readonly #common: Common;
  readonly #concurrency: number;
  readonly #onProblem: (text: string) => void;
  #child: ChildProcess | undefined;
  #lives = 0;
  /** Of the lives before. */
  #past = NOTHING;
  #present = NOTHING;
  #probes = new Map<number, (progress: Progress) => void>();
  #nextProbe = 0;
  #isKilled = false;
  #isStopped = false;
  rate = 0;
  generation = 0;
  allowanceMs = 0;
  /** Whether it has ended by itself. */
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
    return sum(this.#past, this.#present);
  }

  async start(): Promise<void> {
    const { folder, ...common } = this.#common;
    const file = join(folder, `${this.name}.${this.#lives}.jsonl`);
    const before = this.files.at(-1);
    this.files.push(file);
    const order: ClientOrder = {
      ...common,
      name: this.name,
      role: this.role,
      life: this.#lives,
      file,
      ...(before !== undefined && { before }),
      concurrency: this.#concurrency,
      generation: this.generation,
      allowanceMs: this.allowanceMs,
      rate: this.rate,
    };
    this.#lives += 1;
    this.#past = this.progress;
    this.#present = NOTHING;
    this.#isKilled = false;
    const program = TIMED.has(this.role) ? TIMED_PROGRAM : PROGRAM;
    const child = fork(program, [JSON.stringify(order)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child = child;
    const ready = new Promise<void>((resolve, reject) => {
      child.on("message", (report: Report) => {
        if (report.kind === "ready") resolve();
        else this.#hear(report);
      });
      child.once("exit", (code) => {
        reject(new Error(`${this.name} ended before it was ready`));
        for (const settle of this.#probes.values()) settle(this.progress);
        if (code === 0 || this.#isKilled) return;
        this.hasFailed = true;
        // A signal to the whole group may end it before this process hears of that signal, in the same turn.
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
    this.tell({ kind: "probe", number });
    const progress = await answered;
    this.#probes.delete(number);
    return progress;
  }

  tell(order: Order): void {
    if (order.kind === "rate") this.rate = order.rate;
    if (order.kind === "allowance") this.allowanceMs = order.ms;
    if (order.kind === "generation") this.generation = order.generation;
    // It may have been killed a moment ago.
    if (this.isRunning) this.#child?.send(order, () => {});
  }

  /** Lets it end what it does, and waits until it has. */
  async finish(upTo?: string): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    this.tell({ kind: "finish", ...(upTo !== undefined && { upTo }) });
    await ended;
  }

  #hear(report: Report): void {
    if (report.kind === "problem") this.#onProblem(report.text);
    if (report.kind === "progress" || report.kind === "probed") this.#present = report.progress;
    if (report.kind === "probed") this.#probes.get(report.number)?.(this.progress);
  }
}

/** How many processes of each role, and how many calls each has under way. */
export interface FleetSize {
  readonly workers: number;
  readonly readers: number;
  readonly followers: number;
  readonly concurrency: number;
}

/** The client processes of a run, and what the runner does to all of them. */
export class ClientFleet implements Fleet {
  generation = 0;
  readonly processes: readonly Client[];

  constructor(size: FleetSize, common: Common, onProblem: (text: string) => void) {
    const some = (role: Role, count: number, concurrency: number): Client[] =>
      Array.from(
        { length: count },
        (_, i) => new Client(`${role}-${i + 1}`, role, concurrency, common, onProblem),
      );
    this.processes = [
      ...some("worker", size.workers, size.concurrency),
      ...some("reader", size.readers, Math.max(1, size.concurrency >> 1)),
      ...some("follower", size.followers, 1),
    ];
  }

  of(role: Role): readonly Client[] {
    return this.processes.filter((one) => one.role === role);
  }

  /** Of the callers: what followers read are no calls. */
  get progress(): Progress {
    return this.#callers.map(({ progress }) => progress).reduce(sum, NOTHING);
  }

  async probe(): Promise<Progress> {
    const all = await Promise.all(this.#callers.map((one) => one.probe()));
    return all.reduce(sum, NOTHING);
  }

  async start(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.start()));
  }

  /** Shares a number of calls a second among the callers; a reader gets half of what a worker does. */
  setRate(perSecond: number): void {
    const shares = this.#callers.map(({ role }) => (role === "worker" ? 2 : 1));
    const all = shares.reduce((a, b) => a + b, 0);
    for (const [i, one] of this.#callers.entries()) {
      one.tell({ kind: "rate", rate: (perSecond * (shares[i] ?? 0)) / all });
    }
  }

  setGeneration(generation: number): void {
    this.generation = generation;
    for (const one of this.processes) one.tell({ kind: "generation", generation });
  }

  setAllowance(ms: number): void {
    for (const one of this.of("worker")) one.tell({ kind: "allowance", ms });
  }

  /** Whether any of them has ended by itself: then there is no use in going on. */
  get hasFailed(): boolean {
    return this.processes.some((one) => one.hasFailed);
  }

  /** The histories that they have written. */
  get files(): string[] {
    return this.processes.flatMap(({ files }) => files);
  }

  /** Lets all end what they do: callers first, then followers, once they have read up to the last entry of the log. */
  async finish(lastEntry: () => Promise<string>): Promise<void> {
    await Promise.all(this.#callers.map((one) => one.finish()));
    const upTo = await lastEntry();
    await Promise.all(this.of("follower").map((one) => one.finish(upTo)));
  }

  async killAll(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.kill9()));
  }

  get #callers(): readonly Client[] {
    return this.processes.filter(({ role }) => role !== "follower");
  }
}
