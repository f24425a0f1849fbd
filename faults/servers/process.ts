import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";

const alive = new Set<ChildProcess>();
// setpriv below covers the ends of this process at which no handler runs.
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));

/** What to run. */
export interface ProcessOrder {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Gets all that the program prints; grows with every start. */
  readonly logFile: string;
}

/** A program that runs until it is killed, and no longer than this process. */
export class ServerProcess {
  readonly pid: number;
  /** Settles when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    alive.add(child);
    this.ended = once(child, "exit").then(() => {
      alive.delete(child);
    });
  }

  /** Starts it. @throws Error when there is no such program. */
  static async start({ command, args, env, logFile }: ProcessOrder): Promise<ServerProcess> {
    const log = await open(logFile, "a");
    try {
      const [program, words] =
        SETPRIV === undefined ? [command, args] : [SETPRIV, ["--pdeathsig", "KILL", "--", command, ...args]];
      const child = spawn(program, words, {
        // Ctrl-C is for the runner, which decides what becomes of its servers.
        detached: true,
        stdio: ["ignore", log.fd, log.fd],
        env: { ...process.env, ...env },
      });
      await once(child, "spawn");
      if (child.pid === undefined) throw new Error(`${command} has no pid`);
      return new ServerProcess(child, child.pid);
    } finally {
      await log.close();
    }
  }

  /** SIGKILL to all there are, and waits until they are gone. */
  static async kill9All(): Promise<void> {
    const ended = [...alive].map((child) => once(child, "exit"));
    for (const child of alive) child.kill("SIGKILL");
    await Promise.all(ended);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: "SIGSTOP" | "SIGCONT" | "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(name);
  }

  /** SIGKILL, and waits until it is gone. */
  async kill9(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}
