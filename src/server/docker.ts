import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { checkArgs } from "./arguments.js";
import { startChild } from "./child.js";
import { withPort } from "./port.js";

/** The container image that stands for a server where no program is installed. */
export const DEFAULT_IMAGE = "valkey/valkey:9.1";

/** Settings of {@link runContainer}. */
export interface ContainerOptions {
  /** An image that is present. */
  readonly image: string;
  /** TCP port on 127.0.0.1, 1 to 65535. @default a free one */
  readonly port?: number;
  /** Folder for the data, made if it is missing and kept afterwards. @default inside the container, lost at the end */
  readonly dataDir?: string;
  /** Whether changes are also written to disk, into `dataDir`. @default false */
  readonly appendOnly?: boolean;
  /** Further server arguments. They win over latchkey's own. */
  readonly args?: readonly string[];
}

/** A server in a container that this process started and will take down. */
export interface ContainerServer extends AsyncDisposable {
  readonly kind: "container";
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Settles when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends the server and waits until it is gone. May be called again. */
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";

/** The image to run: LATCHKEY_VALKEY_IMAGE, else the official one. */
export function containerImage(env: NodeJS.ProcessEnv = process.env): string {
  return env.LATCHKEY_VALKEY_IMAGE || DEFAULT_IMAGE;
}

/** Says why the `docker` command cannot run this image here without a download, or undefined when it can. */
export async function dockerLacks(image: string): Promise<string | undefined> {
  try {
    await promisify(execFile)("docker", ["image", "inspect", "--format", "{{.Id}}", image], {
      timeout: 5000,
    });
    return undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "docker not found";
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
    return /no such image/i.test(said) ? `image not present (docker pull ${image})` : "daemon not reachable";
  }
}

/**
 * Runs a server in a container by the `docker` command and waits until it accepts connections. It is removed
 * with this process, however the process ends.
 *
 * @throws ServerStartError when it ends before it is ready, with its last lines; a port in use is named.
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
    // The docker command passes TERM on to the server and removes the container after it.
    const { ended, stop } = await startChild({ command: "docker", args, port, signal: "TERM" });
    const url = `valkey://${HOST}:${port}`;
    return { kind: "container", url, host: HOST, port, ended, stop, [Symbol.asyncDispose]: stop };
  });
}

/** The command inside a container. */
export function serverCommand({ appendOnly = false, args = [] }: Omit<ContainerOptions, "image">): string[] {
  // Without a password an image other than the official one refuses every address but its own loopback.
  const own = ["--protected-mode", "no", "--save", "", "--appendonly", appendOnly ? "yes" : "no"];
  return ["valkey-server", ...own, "--dir", "/data", "--maxmemory-policy", "noeviction", ...args];
}
