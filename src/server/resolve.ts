import { type FindOptions, findServer, type ServerProgram } from "./find.js";
import { type Looked, NoValkeyError } from "./no-valkey.js";

/** The environment variables that may name a running server, strongest first. */
const URL_VARIABLES = ["LATCHKEY_URL", "VALKEY_URL", "REDIS_URL"] as const;

/** What to work with: a server that somebody named, or a program to start. */
export type ResolvedServer =
  | { readonly kind: "url"; readonly url: string; readonly namedBy: string }
  | { readonly kind: "program"; readonly program: ServerProgram };

/** Settings of {@link resolveServer}. */
export interface ResolveOptions extends FindOptions {
  /** A running server's URL; wins over everything else. */
  readonly url?: string;
}

/**
 * Decides which server a command works with: `url`, then LATCHKEY_URL, VALKEY_URL and REDIS_URL, then a program
 * found by `findServer`. It never attaches to a server that nobody named: that may hold someone's data.
 * The URL may hold a password; `namedBy` is safe to print.
 *
 * @throws NoValkeyError when there is none, with every place searched and the lines to type.
 * @throws Error when a program was named that cannot be used.
 * @example const server = await resolveServer({ url: options.url });
 */
export async function resolveServer(options: ResolveOptions = {}): Promise<ResolvedServer> {
  const env = options.env ?? process.env;
  if (options.url !== undefined) return { kind: "url", url: options.url, namedBy: "--url" };
  const looked: Looked[] = [];
  for (const variable of URL_VARIABLES) {
    const url = env[variable];
    if (url !== undefined && url !== "") return { kind: "url", url, namedBy: `$${variable}` };
    looked.push({ where: `$${variable}`, result: "not set" });
  }
  const search = await findServer(options);
  if (search.program !== undefined) return { kind: "program", program: search.program };
  throw new NoValkeyError([...looked, ...search.looked]);
}
