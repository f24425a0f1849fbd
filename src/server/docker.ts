import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { codeOf } from "../errors/code-of.js";
import { isError } from "../errors/is-error.js";
import { checkArgs } from "./arguments.js";
import { startChild } from "./child.js";
import { withPort } from "./port.js";

/** The container image that is used if no server program is installed. */
export const DEFAULT_IMAGE = "valkey/valkey:9.0.8";

/** Settings of {@link runContainer}. */
export interface ContainerOptions {
  /** Image, which must be present. */
  readonly image: string;
  /** TCP port on 127.0.0.1, 1 to 65535. @default a free one */
  readonly port?: number;
  /** Folder for the data. It is created if it is missing, and kept. @default inside the container, lost at the end */
  readonly dataDir?: string;
  /** Writes changes to disk, into `dataDir`. @default false */
  readonly appendOnly?: boolean;
  /** Further server arguments, which override latchkey's own. */
  readonly args?: readonly string[];
}

/** A server in a container that this process started and will stop. */
export interface ContainerServer extends AsyncDisposable {
  readonly kind: "container";
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Settles when the server has ended for any reason. */
  readonly ended: Promise<void>;
  /** Stops the server and waits until it has ended. Further calls have no effect. */
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";

/** Returns the image to run: LATCHKEY_VALKEY_IMAGE, else the official one. */
export function containerImage(env: NodeJS.ProcessEnv = process.env): string {
  return env.LATCHKEY_VALKEY_IMAGE || DEFAULT_IMAGE;
}

/** Explains why the `docker` command cannot run this image without a download; undefined if it can. */
export async function dockerProblem(image: string): Promise<string | undefined> {
  try {
    await promisify(execFile)("docker", ["image", "inspect", "--format", "{{.Id}}", image], {
      timeout: 5000,
    });
    return undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "docker not found";
    const message = isError(error) && "stderr" in error ? String(error.stderr) : "";
    return /no such image/i.test(message)
      ? `image not present (docker pull ${image})`
      : "daemon not reachable";
  }
}

/**
 * Runs a server in a container with the `docker` command and waits until it accepts connections. The container is removed
 * when this process ends, even if it crashes.
 *
 * @throws ServerStartError with the server's last lines if it ends before it is ready
 * @example const server = await runContainer({ image: containerImage() });
 */
export async function runContainer(options: ContainerOptions): Promise<ContainerServer> {
  const { image, dataDir } = options;
  checkArgs(options.args ?? []);
  const mount = dataDir === undefined ? [] : ["--volume", `${resolve(dataDir)}:/data`];
  if (dataDir !== undefined) await mkdir(dataDir, { recursive: true });
  return withPort(options.port, async (port) => {
    const publish = ["--publish", `${HOST}:${port}:6379`];
    const args = ["run", "--rm", "--pull", "never", ...publish, ...mount, image, ...serverCommand(options)];
    // The docker command forwards TERM to the server and then removes the container.
    const { ended, stop } = await startChild({ command: "docker", args, port, signal: "TERM" });
    const url = `valkey://${HOST}:${port}`;
    return { kind: "container", url, host: HOST, port, ended, stop, [Symbol.asyncDispose]: stop };
  });
}

/** Returns the server command inside a container. */
export function serverCommand({ appendOnly = false, args = [] }: Omit<ContainerOptions, "image">): string[] {
  // Without a password, images other than the official one accept connections from their own loopback only.
  const own = ["--protected-mode", "no", "--save", "", "--appendonly", appendOnly ? "yes" : "no"];
  return ["valkey-server", ...own, "--dir", "/data", "--maxmemory-policy", "noeviction", ...args];
}
