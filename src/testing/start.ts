import { type Looked, NoValkeyError } from "../errors/no-valkey-error.js";
import { type ContainerServer, containerImage } from "../server/docker.js";
import { findServer } from "../server/find.js";
import { type LocalServer, spawnServer } from "../server/spawn.js";
import { containerProblem, startContainer } from "./container.js";
import { checkServerOptions, type ServerOptions } from "./options.js";

/** A running server for tests: a local process, or a container. */
export type TestServer = LocalServer | Omit<ContainerServer, "ended">;

/**
 * Starts a Valkey server for tests and waits until it accepts connections.
 *
 * It uses a local server program (`bin`, LATCHKEY_VALKEY_BIN, valkey-server 7.2 or later, redis-server 7.0 or later),
 * else a container through the optional package `testcontainers`. It never uses a server that is already running. A local
 * server ends with this process, even if this process crashes.
 *
 * @throws NoValkeyError when there is neither, with every place searched and the lines to type.
 * @throws ServerStartError if a named program cannot be used, or the server ends before it is ready.
 * @throws ContractError if an option is invalid.
 * @example
 * const server = await startValkey();
 * const latchkey = await connect({ url: server.url });
 * // ...
 * await server.stop();
 */
export async function startValkey(options: ServerOptions = {}): Promise<TestServer> {
  checkServerOptions(options);
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
  const reason = await containerProblem();
  if (reason === undefined) return () => startContainer(options);
  looked.push({ where: `Docker (${options.image ?? containerImage(options.env)})`, result: reason });
  return undefined;
}
