import { type Looked, NoValkeyError } from "../errors/no-valkey-error.js";
import {
  type ContainerOptions,
  type ContainerServer,
  containerImage,
  dockerProblem,
  runContainer,
} from "./docker.js";
import { type FindOptions, findServer, type ServerProgram } from "./find.js";
import { type LocalServer, spawnServer } from "./spawn.js";

/** Environment variables with the URL of a running server, in order of precedence. */
const URL_VARIABLES = ["LATCHKEY_URL", "VALKEY_URL", "REDIS_URL"] as const;

/** A server for a command: the URL of a running one, a program to start, or an image to run. */
export type ResolvedServer =
  | { readonly kind: "url"; readonly url: string; readonly namedBy: string }
  | { readonly kind: "program"; readonly program: ServerProgram }
  | { readonly kind: "image"; readonly image: string };

/** Settings of {@link resolveServer}. */
export interface ServerChoice extends FindOptions {
  /** URL of a running server, which has precedence. */
  readonly url?: string;
}

/**
 * Chooses the server of a command: `url`, then LATCHKEY_URL, VALKEY_URL and REDIS_URL, then the result of
 * {@link resolveEmbedded}. It never uses a running server without a URL, because that may contain other data. The URL may
 * contain a password; `namedBy` is safe to print.
 *
 * @throws NoValkeyError when there is none, with every place searched and the lines to type.
 * @throws ServerStartError if a named program cannot be used.
 * @example const server = await resolveServer({ url: options.url });
 */
export async function resolveServer(options: ServerChoice = {}): Promise<ResolvedServer> {
  const env = options.env ?? process.env;
  if (options.url !== undefined) return { kind: "url", url: options.url, namedBy: "--url" };
  for (const variable of URL_VARIABLES) {
    const url = env[variable];
    if (url !== undefined && url !== "") return { kind: "url", url, namedBy: `$${variable}` };
  }
  const looked = URL_VARIABLES.map((variable) => ({ where: `$${variable}`, result: "not set" }));
  return resolveEmbedded(options, looked);
}

/**
 * Chooses the server to start: a program found by `findServer`, else a container image that is present. Downloads nothing.
 *
 * @throws NoValkeyError when there is neither; places searched before are named through `before`.
 * @throws ServerStartError if a named program cannot be used.
 */
export async function resolveEmbedded(
  options: FindOptions = {},
  before: readonly Looked[] = [],
): Promise<Exclude<ResolvedServer, { kind: "url" }>> {
  const { program, looked } = await findServer(options);
  if (program !== undefined) return { kind: "program", program };
  const image = containerImage(options.env);
  const problem = await dockerProblem(image);
  if (problem === undefined) return { kind: "image", image };
  throw new NoValkeyError([...before, ...looked, { where: `Docker (${image})`, result: problem }]);
}

/**
 * Starts the program or the image that `resolveEmbedded` or `resolveServer` returned.
 *
 * @throws ServerStartError with the server's last lines if it ends before it is ready
 * @example const server = await startEmbedded(await resolveEmbedded(), { port: 6379 });
 */
export function startEmbedded(
  server: Exclude<ResolvedServer, { kind: "url" }>,
  options: Omit<ContainerOptions, "image"> = {},
): Promise<LocalServer | ContainerServer> {
  return server.kind === "program"
    ? spawnServer({ ...options, bin: server.program.bin })
    : runContainer({ ...options, image: server.image });
}
