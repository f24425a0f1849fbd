import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { codeOf } from "../errors/code-of.js";
import type { Looked } from "../errors/no-valkey-error.js";
import { ServerStartError } from "../errors/server-start-error.js";
import { parseServerVersion, type ServerVersion, tooOld } from "./version.js";

/** A server program on this machine that latchkey can start. */
export interface ServerProgram extends ServerVersion {
  readonly bin: string;
  /** A message for the user if the choice is unexpected: Redis instead of Valkey. */
  readonly notice?: string;
}

/** The result of a search for a server program: the program, and every location that was searched before it. */
export interface ServerSearch {
  readonly program?: ServerProgram;
  readonly looked: readonly Looked[];
}

/** Settings of {@link findServer}. */
export interface FindOptions {
  /** Program to use without a search. */
  readonly bin?: string;
  /** Environment with PATH and LATCHKEY_VALKEY_BIN. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Folders to search after PATH. @default the folders where packages install valkey-server */
  readonly usualPlaces?: readonly string[];
}

const USUAL_PLACES = [
  "/usr/bin",
  "/usr/local/bin",
  "/opt/homebrew/bin",
  "/opt/homebrew/opt/valkey/bin",
  "/usr/lib/valkey",
];

/**
 * Searches for a server program: `bin`, then LATCHKEY_VALKEY_BIN, then valkey-server on PATH and in the usual
 * places (7.2 or later), then redis-server on PATH (7.0 or later).
 *
 * If `bin` or LATCHKEY_VALKEY_BIN names a program, no other program is used.
 *
 * @throws ServerStartError if the named program cannot be run, is neither Valkey nor Redis, or is too old.
 * @example const { program, looked } = await findServer();
 */
export async function findServer(options: FindOptions = {}): Promise<ServerSearch> {
  const env = options.env ?? process.env;
  if (options.bin !== undefined) {
    return { program: await namedProgram(options.bin, "The server program option"), looked: [] };
  }
  const named = env.LATCHKEY_VALKEY_BIN;
  if (named !== undefined && named !== "") {
    return { program: await namedProgram(named, "LATCHKEY_VALKEY_BIN"), looked: [] };
  }
  const looked: Looked[] = [{ where: "$LATCHKEY_VALKEY_BIN", result: "not set" }];
  const path = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const places = [...new Set([...path, ...(options.usualPlaces ?? USUAL_PLACES)])];

  const valkey = await firstUsable("valkey-server", places);
  if (valkey.program !== undefined) return { program: valkey.program, looked };
  looked.push({ where: "valkey-server on PATH", result: valkey.result });

  const redis = await firstUsable("redis-server", path);
  looked.push({ where: "redis-server on PATH", result: redis.result });
  if (redis.program === undefined) return { looked };
  const { product, version, bin } = redis.program;
  const notice = `Using ${bin} (${product} ${version}): no valkey-server was found.`;
  return { program: { ...redis.program, notice }, looked };
}

async function firstUsable(name: string, folders: readonly string[]) {
  let result = "not found";
  for (const folder of folders) {
    const bin = join(folder, name);
    if (!(await isExecutable(bin))) continue;
    const program = await inspect(bin);
    if (typeof program !== "string") return { program, result: `found at ${bin}` };
    result = `${bin}: ${program}`;
  }
  return { result };
}

async function namedProgram(bin: string, namedBy: string): Promise<ServerProgram> {
  const program = await inspect(bin);
  if (typeof program !== "string") return program;
  throw new ServerStartError(
    `${namedBy} names "${bin}", which cannot be used: ${program}. ` +
      "Name a valkey-server 7.2 or later, or leave it out to have one searched for.",
  );
}

/** Runs a program with --version. Returns a text if the program is not usable. */
async function inspect(bin: string): Promise<ServerProgram | string> {
  try {
    const { stdout } = await promisify(execFile)(bin, ["--version"], { timeout: 5000 });
    const version = parseServerVersion(stdout);
    if (version === undefined) return "it is neither Valkey nor Redis";
    return tooOld(version) ?? { bin, ...version };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return "file not found";
    if (code === "EACCES") return "it is not executable";
    return "it failed when asked for its version";
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
