import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { checkArgs, checkPort } from "./arguments.js";
import { freePort } from "./port.js";
import { ServerStartError, whenReady } from "./ready.js";
import { release, watch } from "./watchdog.js";

/** Settings of {@link spawnServer}. */
export interface SpawnOptions {
  /** The server program, as `findServer` returns it. */
  readonly bin: string;
  /** TCP port, 1 to 65535. @default a free one */
  readonly port?: number;
  /** Folder for the data, made if it is missing and kept afterwards. @default a new one, removed at the end */
  readonly dataDir?: string;
  /** Whether changes are also written to disk, into `dataDir`. @default false: everything is lost at the end */
  readonly appendOnly?: boolean;
  /** Further server arguments, such as `["--maxmemory", "50mb"]`. They win over latchkey's own. */
  readonly args?: readonly string[];
}

/** A server that this process started and will take down. It is bound to 127.0.0.1. */
export interface LocalServer extends AsyncDisposable {
  readonly kind: "local";
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** Settles when the server has ended, for whatever reason, and its temporary folder is gone. */
  readonly ended: Promise<void>;
  /** Ends the server and waits until it is gone. May be called again. */
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const PORT_TRIES = 5;
const STOP_MS = 10_000;

/**
 * Starts a server program and waits until it accepts connections. The server ends with this process, however
 * the process ends; it does not keep the process alive.
 *
 * @throws ServerStartError when the server ends before it is ready, with its last lines; a port in use is named.
 * @throws Error when an option is out of range or the data folder cannot be made.
 * @example
 * const server = await spawnServer({ bin: "/usr/bin/valkey-server" });
 * console.log(server.url); // valkey://127.0.0.1:40213
 * await server.stop();
 */
export async function spawnServer(options: SpawnOptions): Promise<LocalServer> {
  checkArgs(options.args ?? []);
  if (options.port !== undefined) return start(options, checkPort(options.port));
  for (let tries = 1; ; tries += 1) {
    try {
      return await start(options, await freePort());
    } catch (error) {
      // Somebody else took the port between our look at it and the server's.
      if (!(error instanceof ServerStartError && error.portInUse) || tries === PORT_TRIES) throw error;
    }
  }
}

async function start(options: SpawnOptions, port: number): Promise<LocalServer> {
  const temporary = options.dataDir === undefined;
  const dataDir = await makeDataDir(options.dataDir);
  const child = spawn(options.bin, serverArgs(options, port, dataDir), {
    // A process group of its own: Ctrl-C on the terminal is the business of this process alone.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = endOf(child).then(() => {
    watchdog?.disarm();
    return temporary ? rm(dataDir, { recursive: true, force: true, maxRetries: 3 }) : undefined;
  });
  const signal = temporary ? "KILL" : "TERM"; // nothing to save in a folder that is removed
  const watchdog =
    child.pid === undefined
      ? undefined
      : watch({ pid: child.pid, signal, ...(temporary && { removeDir: dataDir }) }, () =>
          child.kill("SIGKILL"),
        );
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= end(child, `SIG${signal}`, ended));

  try {
    const pid = await whenReady(child, options.bin, port);
    release(child);
    const url = `valkey://${HOST}:${port}`;
    return { kind: "local", url, host: HOST, port, pid, dataDir, ended, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function serverArgs(
  { appendOnly = false, args = [] }: SpawnOptions,
  port: number,
  dataDir: string,
): string[] {
  const own = {
    "--port": String(port),
    "--bind": HOST,
    "--dir": dataDir,
    "--save": "",
    "--appendonly": appendOnly ? "yes" : "no",
    "--maxmemory-policy": "noeviction",
  };
  return [...Object.entries(own).flat(), ...args];
}

async function makeDataDir(wanted: string | undefined): Promise<string> {
  if (wanted === undefined) return mkdtemp(join(tmpdir(), "latchkey-valkey-"));
  const dir = resolve(wanted);
  await mkdir(dir, { recursive: true }).catch((cause: Error) => {
    throw new Error(`The data folder "${dir}" cannot be made: ${cause.message}. Choose another one.`, {
      cause,
    });
  });
  return dir;
}

/** Settles when the child has ended or could not be started at all. */
function endOf(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.once("exit", () => done());
    child.once("error", () => child.pid === undefined && done());
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.ref();
    child.kill(signal);
  }
  const lastResort = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(lastResort);
}
