import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { codeOf } from "../errors/code-of.js";
import { ServerStartError } from "../errors/server-start-error.js";
import { checkArgs, checkPort } from "../server/arguments.js";
import { type ContainerServer, containerImage, serverCommand } from "../server/docker.js";
import type { ServerOptions } from "./options.js";

const INSIDE = 6379;

/** Explains why no container can be started; undefined if one can. */
export async function containerProblem(): Promise<string | undefined> {
  const testcontainers = await load();
  if (testcontainers === undefined) {
    return "testcontainers is not installed (npm install --save-dev testcontainers)";
  }
  return testcontainers.getContainerRuntimeClient().then(
    () => undefined,
    () => "daemon not reachable",
  );
}

/**
 * Starts a server in a container and waits until it accepts connections.
 * @throws ServerStartError if the image cannot be started.
 */
export async function startContainer(options: ServerOptions): Promise<Omit<ContainerServer, "ended">> {
  const testcontainers = await load();
  if (testcontainers === undefined)
    throw new ServerStartError("The package testcontainers is not installed.");
  const { GenericContainer, Wait } = testcontainers;
  const image = options.image ?? containerImage(options.env);
  const { port: wanted, dataDir } = options;
  checkArgs(options.args ?? []);
  let definition = new GenericContainer(image)
    .withCommand(serverCommand(options))
    .withExposedPorts(wanted === undefined ? INSIDE : { container: INSIDE, host: checkPort(wanted) })
    // A check of the port needs a shell inside the image; the log message does not.
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/));
  if (dataDir !== undefined) {
    const source = resolve(dataDir);
    await mkdir(source, { recursive: true });
    definition = definition.withBindMounts([{ source, target: "/data" }]);
  }
  const container = await definition.start().catch((cause: Error) => {
    throw new ServerStartError(
      `A container of ${image} could not be started: ${cause.message}. ` +
        "LATCHKEY_VALKEY_IMAGE names another image.",
      { cause },
    );
  });
  const host = container.getHost();
  const port = container.getMappedPort(INSIDE);
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= container.stop().then(() => undefined);
    return stopping;
  };
  return {
    kind: "container",
    url: `valkey://${host}:${port}`,
    host,
    port,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Loads testcontainers, an optional peer dependency that is not needed if a server program is installed. */
async function load() {
  try {
    return await import("testcontainers");
  } catch (error) {
    const code = codeOf(error);
    // The second code is that of the CommonJS build.
    if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
