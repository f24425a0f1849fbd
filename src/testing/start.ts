import { type ContainerServer, containerImage } from "../server/docker.js";
import { type FindOptions, findServer } from "../server/find.js";
import { type Looked, NoValkeyError } from "../server/no-valkey.js";
import { type LocalServer, spawnServer } from "../server/spawn.js";
import { containersUnavailable, startContainer } from "./container.js";

/** Settings of {@link startValkey}. */
export interface ServerOptions extends FindOptions {
  /** TCP port, 1 to 65535. @default a free one */
  readonly port?: number;
  /** Folder for the data, kept afterwards. @default a new one, removed at the end (a container keeps it inside) */
  readonly dataDir?: string;
  /** Whether changes are also written to disk, into `dataDir`. @default false */
  readonly appendOnly?: boolean;
  /** Further server arguments, such as `["--maxmemory", "50mb"]`. */
  readonly args?: readonly string[];
  /** What to try first; the other one follows when it is not to be had on this machine. @default "local" */
  readonly prefer?: "local" | "container";
  /** The image of a container. @default LATCHKEY_VALKEY_IMAGE, else the official one */
  readonly image?: string;
  /** Told in a line when the choice may surprise: Redis instead of Valkey, or not what was preferred. */
  readonly onNotice?: (line: string) => void;
}

/** A running server for tests: a local process, or a container. */
export type TestServer = LocalServer | Omit<ContainerServer, "ended">;

/**
 * Starts a Valkey server for tests and waits until it accepts connections.
 *
 * It takes a server program of this machine (`bin`, LATCHKEY_VALKEY_BIN, valkey-server 7.2 or later, redis-server
 * 7.0 or later), else a container through the optional package `testcontainers`. It never attaches to a server
 * that is running already. A local server ends with this process, however the process ends.
 *
 * @throws NoValkeyError when there is neither, with every place searched and the lines to type.
 * @throws ServerStartError when the program ends before it is ready, with its last lines.
 * @throws Error when an option is out of range, a named program cannot be used, or the image cannot be started.
 * @example
 * const server = await startValkey();
 * const latchkey = await connect({ url: server.url });
 * // ...
 * await server.stop();
 */
export async function startValkey(options: ServerOptions = {}): Promise<TestServer> {
  const looked: Looked[] = [];
  for (const kind of order(options)) {
    const start =
      kind === "local" ? await localStart(options, looked) : await containerStart(options, looked);
    if (start === undefined) continue;
    if (options.prefer === "container" && kind === "local") {
      options.onNotice?.(`No container: ${looked[0]?.result}. Using a local server.`);
    }
    return start();
  }
  throw new NoValkeyError(looked);
}

function order({ bin, prefer }: ServerOptions): readonly ("local" | "container")[] {
  if (bin !== undefined) return ["local"];
  return prefer === "container" ? ["container", "local"] : ["local", "container"];
}

async function localStart(options: ServerOptions, looked: Looked[]) {
  const search = await findServer(options);
  looked.push(...search.looked);
  const { program } = search;
  if (program === undefined) return undefined;
  if (program.notice !== undefined) options.onNotice?.(program.notice);
  return () => spawnServer({ ...options, bin: program.bin });
}

async function containerStart(options: ServerOptions, looked: Looked[]) {
  const reason = await containersUnavailable();
  if (reason === undefined) return () => startContainer(options);
  looked.push({ where: `Docker (${options.image ?? containerImage(options.env)})`, result: reason });
  return undefined;
}
