import type { Entities } from "../entities.js";
import type { Latchkey } from "../latchkey.js";
import type { Connection, ConnectionOptions } from "../valkey/connection.js";
import { CliError, usageError } from "./cli-error.js";
import type { Settings } from "./settings.js";
import { shellCommand } from "./shell-command.js";

/** When to give up. */
export interface SessionLimits {
  /** Ends calls that still wait when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** How long connecting may take, in ms. */
  readonly connectTimeoutMs?: number;
}

/**
 * Connects, runs `run` and hangs up.
 *
 * @throws ConnectError when there is no server; CliError USAGE when the URL is none.
 */
export async function withLatchkey<T>(
  settings: Settings,
  run: (latchkey: Latchkey) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const { connect } = await import("../latchkey.js");
  const { namespace } = settings;
  const options = await connectionOptions(settings);
  return closing(await connect({ ...options, namespace }), run, signal);
}

/** The same with nothing but a connection, for what is about the server and not about a namespace. */
export async function withConnection<T>(
  settings: Settings,
  run: (connection: Connection) => Promise<T>,
  { signal, ...limits }: SessionLimits = {},
): Promise<T> {
  const { openConnection } = await import("../valkey/connection.js");
  const options = await connectionOptions(settings);
  return closing(await openConnection({ ...options, ...limits }), run, signal);
}

/** What to connect with. @throws CliError USAGE when the URL is none. */
export async function connectionOptions({
  url,
  password,
}: Settings): Promise<ConnectionOptions & { readonly url: string }> {
  const { parseAddress } = await import("../valkey/address.js");
  try {
    parseAddress(url);
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : "the server's URL can't be read");
  }
  return { url, ...(password !== undefined && { password }) };
}

async function closing<C extends { close(): Promise<void> }, T>(
  connected: C,
  run: (connected: C) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const hangUp = (): void => void connected.close();
  signal?.addEventListener("abort", hangUp, { once: true });
  try {
    signal?.throwIfAborted();
    return await run(connected);
  } finally {
    signal?.removeEventListener("abort", hangUp);
    await connected.close();
  }
}

/**
 * Connects and runs `run` with the entities of the machine that is installed.
 *
 * @throws CliError NOMACHINE where it is not, with what to type.
 */
export async function withEntities<T>(
  settings: Settings,
  run: (entities: Entities, latchkey: Latchkey) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return withLatchkey(
    settings,
    async (latchkey) => {
      const entities = await latchkey.installed(settings.machine);
      if (entities === null) throw await noMachine(latchkey, settings);
      return run(entities, latchkey);
    },
    signal,
  );
}

/** The error for a machine that nobody has applied. */
export async function noMachine(
  latchkey: Latchkey,
  { machine, namespace, given }: Settings,
): Promise<CliError> {
  const installed = await latchkey.machines();
  const others = installed.length === 0 ? "none is" : `installed are ${installed.join(", ")}`;
  const apply = machine === "agent" ? [] : ["-f", `${machine}.yaml`];
  const options = [...apply, ...(given.namespace === undefined ? [] : ["--namespace", namespace])];
  const [other] = installed;
  const hint =
    machine === "agent" || other === undefined
      ? shellCommand("apply", options)
      : `-m ${other}, or ${shellCommand("apply", options)}`;
  return new CliError(
    "NOMACHINE",
    `no machine "${machine}" is installed in namespace "${namespace}"; ${others}`,
    {
      hint,
      facts: { machine: JSON.stringify(machine), installed: JSON.stringify(installed) },
    },
  );
}
