import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ServerStartError } from "../errors/server-start-error.js";
import { checkArgs } from "./arguments.js";
import { startChild } from "./child.js";
import { withPort } from "./port.js";

/** Settings of {@link spawnServer}. */
export interface SpawnOptions {
  /** The server program, as `findServer` returns it. */
  readonly bin: string;
  /** TCP port, 1 to 65535. @default a free one */
  readonly port?: number;
  /** Folder for the data. It is created if it is missing, and kept. @default a new one, removed at the end */
  readonly dataDir?: string;
  /** Writes changes to disk, into `dataDir`. @default false: everything is lost at the end */
  readonly appendOnly?: boolean;
  /** Further server arguments, such as `["--maxmemory", "50mb"]`. They override latchkey's own. */
  readonly args?: readonly string[];
}

/** A server that this process started and will stop. It listens on 127.0.0.1. */
export interface LocalServer extends AsyncDisposable {
  readonly kind: "local";
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** Settles when the server has ended for any reason and its temporary folder is removed. */
  readonly ended: Promise<void>;
  /** Stops the server and waits until it has ended. Further calls have no effect. */
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";

/**
 * Starts a server program and waits until it accepts connections. The server ends with this process, even if this
 * process crashes, and does not keep this process alive.
 *
 * @throws ServerStartError if the data folder cannot be made, or the server ends before it is ready.
 * @throws ContractError if an option is invalid.
 * @example
 * const server = await spawnServer({ bin: "/usr/bin/valkey-server" });
 * console.log(server.url); // valkey://127.0.0.1:40213
 * await server.stop();
 */
export async function spawnServer(options: SpawnOptions): Promise<LocalServer> {
  checkArgs(options.args ?? []);
  return withPort(options.port, (port) => start(options, port));
}

async function start(options: SpawnOptions, port: number): Promise<LocalServer> {
  const temporary = options.dataDir === undefined;
  const dataDir = await makeDataDir(options.dataDir);
  const { pid, ended, stop } = await startChild({
    command: options.bin,
    args: serverArgs(options, port, dataDir),
    port,
    signal: temporary ? "KILL" : "TERM", // a temporary folder needs no save
    removeDir: temporary ? dataDir : undefined,
  });
  const url = `valkey://${HOST}:${port}`;
  return { kind: "local", url, host: HOST, port, pid, dataDir, ended, stop, [Symbol.asyncDispose]: stop };
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

/** Creates the folder for a server's data: the given one, or a temporary one. */
async function makeDataDir(wanted: string | undefined): Promise<string> {
  if (wanted === undefined) return mkdtemp(join(tmpdir(), "latchkey-valkey-"));
  const dir = resolve(wanted);
  await mkdir(dir, { recursive: true }).catch((cause: Error) => {
    throw new ServerStartError(
      `The data folder "${dir}" cannot be made: ${cause.message}. Choose another one.`,
      {
        cause,
      },
    );
  });
  return dir;
}
