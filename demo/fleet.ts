import { type ChildProcess, fork } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { LIFELINE_FD } from "./agent-process.js";
import type { CallOptions, Credentials, Fact, FromReplica, ToReplica, Way } from "./messages.js";

/** Receives the news of the replicas. */
export interface FleetListener {
  onMessage(replica: string, message: FromReplica): void;
  /** Called when a replica ended unexpectedly. */
  onDeath(replica: string, how: string): void;
}

interface Member {
  readonly name: string;
  readonly child: ChildProcess;
  /** Settles when the replica and all processes that it started are gone. */
  readonly gone: Promise<void>;
  /** Settles when every message of the replica has been received. */
  readonly silent: Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("replica.js", import.meta.url));
const STOP_MS = 5_000;

/**
 * Runs the replicas, each in a process of its own.
 *
 * Each replica gets one end of a pipe and passes it on to every process that it starts. The system closes the pipe when
 * the last of them is gone. So the demo knows, without a list of pids, whether a replica or its agents still run.
 */
export class Fleet {
  readonly #members: readonly Member[];
  readonly #listener: FleetListener;
  readonly #killed = new Set<string>();
  #stopping: Promise<string[]> | undefined;

  constructor(names: readonly string[], listener: FleetListener) {
    this.#listener = listener;
    this.#members = names.map((name) => this.#launch(name));
  }

  /** Process ids of the replicas. */
  get pids(): number[] {
    return this.#members.flatMap(({ child }) => child.pid ?? []);
  }

  /** Sends every replica the address of the server. Arguments or environment could reveal a password. */
  start(way: Way, credentials: Credentials, namespace: string, calls: CallOptions = {}): void {
    for (const { name, child } of this.#members) {
      this.#send(child, { type: "start", name, way, credentials, calls, namespace });
    }
  }

  /** Starts the race, with this length of a lease in ms. */
  begin(leaseMs: number): void {
    for (const { child } of this.#members) this.#send(child, { type: "begin", leaseMs });
  }

  /** Sends a fact to every replica. */
  broadcast(fact: Fact): void {
    for (const { child } of this.#members) this.#send(child, { type: "fact", fact });
  }

  /** Kills a replica, as a crash would. Settles when all its messages have been received. */
  async kill(name: string): Promise<void> {
    const member = this.#members.find((member) => member.name === name);
    if (member === undefined) return;
    this.#killed.add(name);
    member.child.kill("SIGKILL");
    await member.silent;
  }

  /** Ends all replicas and their agents. Returns the replicas that had to be killed, or whose agents still ran. */
  stop(): Promise<string[]> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #launch(name: string): Member {
    const child = fork(PROGRAM, [], {
      // A session of its own: only the demo handles Ctrl-C on the terminal.
      detached: true,
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc", "pipe"],
    });
    const lifeline = child.stdio[LIFELINE_FD];
    const gone = new Promise<void>((resolve) => {
      if (lifeline instanceof Socket)
        lifeline
          .resume()
          .on("error", () => {})
          .once("close", resolve);
      else child.once("exit", () => resolve()); // it could not be started
    });
    const silent = new Promise<void>((resolve) => child.once("disconnect", resolve));
    child.on("message", (message) => this.#listener.onMessage(name, message as FromReplica));
    child.on("error", (error) => this.#died(name, error.message));
    child.on("exit", (code, signal) => this.#died(name, signal ?? `exit code ${code}`));
    return { name, child, gone, silent };
  }

  #died(name: string, how: string): void {
    if (this.#stopping === undefined && !this.#killed.has(name)) this.#listener.onDeath(name, how);
  }

  #send(child: ChildProcess, message: ToReplica): void {
    // A replica that is gone reports its exit by itself.
    if (child.connected) child.send(message, () => {});
  }

  async #stop(): Promise<string[]> {
    for (const { child } of this.#members) if (child.connected) child.disconnect();
    const left = await this.#leftAfter(STOP_MS);
    if (left.length === 0) return [];
    for (const { child } of left) child.kill("SIGKILL");
    await this.#leftAfter(STOP_MS);
    return left.map(({ name }) => name);
  }

  /** Waits until all are gone, at most this long. Returns the rest. */
  async #leftAfter(ms: number): Promise<Member[]> {
    const left = new Set(this.#members);
    const allGone = Promise.all(this.#members.map((member) => member.gone.then(() => left.delete(member))));
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([allGone, limit]);
    clearTimeout(timer);
    return [...left];
  }
}
