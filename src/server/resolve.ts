import { type Looked, NoValkeyError } from "../errors/no-valkey-error.js";
import { containerImage, dockerLacks } from "./docker.js";
import { type FindOptions, findServer, type ServerProgram } from "./find.js";

/** The environment variables that may name a running server, strongest first. */
const URL_VARIABLES = ["LATCHKEY_URL", "VALKEY_URL", "REDIS_URL"] as const;

/** What to work with: a server that somebody named, a program to start, or an image to run. */
export type ResolvedServer =
  | { readonly kind: "url"; readonly url: string; readonly namedBy: string }
  | { readonly kind: "program"; readonly program: ServerProgram }
  | { readonly kind: "image"; readonly image: string };

/** Settings of {@link resolveServer}. */
export interface ResolveOptions extends FindOptions {
  /** A running server's URL; wins over everything else. */
  readonly url?: string;
}

/**
 * Decides which server a command works with: `url`, then LATCHKEY_URL, VALKEY_URL and REDIS_URL, then what
 * {@link resolveEmbedded} finds. It never attaches to a server that nobody named: that may hold someone's data.
 * The URL may hold a password; `namedBy` is safe to print.
 *
 * @throws NoValkeyError when there is none, with every place searched and the lines to type.
 * @throws ServerStartError if a named program cannot be used.
 * @example const server = await resolveServer({ url: options.url });
 */
export async function resolveServer(options: ResolveOptions = {}): Promise<ResolvedServer> {
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
 * Decides which server to start as a part of this process: a program found by `findServer`, else a container
 * image that is present. Nothing is downloaded.
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
  const lacks = await dockerLacks(image);
  if (lacks === undefined) return { kind: "image", image };
  throw new NoValkeyError([...before, ...looked, { where: `Docker (${image})`, result: lacks }]);
}
