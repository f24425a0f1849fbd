import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";

const running = new Set<ChildProcess>();
// setpriv (below) covers exits of this process that run no handler.
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));

/** Describes a program to run. */
export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Receives everything that the program prints, over all its starts. */
  readonly logFile: string;
}

/** Runs a program until it is killed or this process exits. */
export class ServerProcess {
  readonly pid: number;
  /** Resolves when it has exited for any reason. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    running.add(child);
    this.ended = once(child, "exit").then(() => {
      running.delete(child);
    });
  }

  /** Starts a program. @throws Error if it does not exist */
  static async start({ command, args, env, logFile }: ProcessOptions): Promise<ServerProcess> {
    const log = await open(logFile, "a");
    try {
      const [program, words] =
        SETPRIV === undefined ? [command, args] : [SETPRIV, ["--pdeathsig", "KILL", "--", command, ...args]];
      const child = spawn(program, words, {
        // Ctrl-C is for the runner, which then ends its servers.
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

  /** Kills all programs, and waits until they have exited. */
  static async kill9All(): Promise<void> {
    const ended = [...running].map((child) => once(child, "exit"));
    for (const child of running) child.kill("SIGKILL");
    await Promise.all(ended);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: "SIGSTOP" | "SIGCONT" | "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(name);
  }

  /** Kills it, and waits until it has exited. */
  async kill9(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}
