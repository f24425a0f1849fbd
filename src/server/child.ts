import { type ChildProcess, spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { clearTimeout, setTimeout } from "../valkey/real-time.js";
import { whenReady } from "./ready.js";
import { release, watch } from "./watchdog.js";

/** Options of {@link startChild}. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  /** Signal that ends it: TERM if it must save data or remove a container, else KILL. */
  readonly signal: "TERM" | "KILL";
  /** Folder to remove after the server has ended. */
  readonly removeDir?: string | undefined;
}

/** A server process that is ready. It ends with this process at the latest. */
export interface ServerChild {
  readonly pid: number;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const STOP_MS = 10_000;

/**
 * Starts a server process and waits until it accepts connections. It ends with this process, even if this process
 * crashes, and does not keep this process alive.
 *
 * @throws ServerStartError if it cannot be started, or ends before it is ready
 */
export async function startChild(options: ChildOptions): Promise<ServerChild> {
  const { command, args, port, signal, removeDir } = options;
  const child = spawn(command, args, {
    // The child has its own process group, so that Ctrl-C on the terminal reaches only this process.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const watchdog =
    child.pid === undefined
      ? undefined
      : watch({ pid: child.pid, signal, removeDir }, () => child.kill("SIGKILL"));
  const ended = exitOf(child).then(() => {
    watchdog?.disarm();
    return removeDir === undefined
      ? undefined
      : rm(removeDir, { recursive: true, force: true, maxRetries: 3 });
  });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= end(child, `SIG${signal}`, ended);
    return stopping;
  };
  try {
    const pid = await whenReady(child, command, port);
    release(child);
    return { pid, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Settles when the child has ended or could not be started. */
function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.once("exit", () => done());
    child.once("error", () => child.pid === undefined && done());
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<void>): Promise<void> {
  child.ref();
  child.kill(signal);
  const lastResort = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(lastResort);
}
