import type { Entities } from "../entities.js";
import { codeOf } from "../errors/code-of.js";
import type { Latchkey } from "../latchkey.js";
import type { Connection } from "../valkey/connection.js";
import type { ConnectionOptions } from "../valkey/connection-options.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { CliError, usageError } from "./cli-error.js";
import type { Settings } from "./input/settings.js";
import { commandFor } from "./shell-command.js";

// Modules are loaded when they are needed: a command that only reads starts fast.

/** Limits of a session. */
export interface SessionLimits {
  /** Ends pending calls when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Maximum time to connect, in ms. */
  readonly connectTimeoutMs?: number;
  /** Connects to a cluster if any of its primaries can be reached. */
  readonly isPartial?: boolean;
  /** Waits for a server that is not up yet, and reports it with lines for people. Without it, that is an error. */
  readonly onWait?: ((line: string) => void) | undefined;
}

/**
 * Connects, runs `run` and closes the connection.
 *
 * @throws ConnectError if the server cannot be used; CliError USAGE if the URL is invalid.
 */
export async function withLatchkey<T>(
  settings: Settings,
  run: (latchkey: Latchkey) => Promise<T>,
  { onWait }: Pick<SessionLimits, "onWait"> = {},
): Promise<T> {
  const { connect } = await import("../latchkey.js");
  const { namespace } = settings;
  const options = await connectionOptions(settings);
  const latchkey = await started(() => connect({ ...options, namespace }), onWait);
  return closing(latchkey, run, undefined);
}

/** Runs `run` with a connection to the server, whatever the namespace holds; see {@link withLatchkey}. */
export async function withConnection<T>(
  settings: Settings,
  run: (connection: Connection) => Promise<T>,
  { signal, onWait, ...limits }: SessionLimits = {},
): Promise<T> {
  const { openConnection } = await import("../valkey/open-connection.js");
  const options = await connectionOptions(settings);
  const open = () => openConnection({ ...options, ...limits, namespace: settings.namespace });
  const connection = await started(open, onWait);
  try {
    return await closing(connection, run, signal);
  } catch (error) {
    // The machine was not installed, or has been removed meanwhile.
    if (error instanceof CliError || !(error instanceof Error) || codeOf(error) !== "NOMACHINE") throw error;
    throw new CliError("NOMACHINE", error.message, { hint: applyCommand(settings) }, error);
  }
}

/** Returns the options to connect with. @throws CliError USAGE if the URL is invalid. */
export async function connectionOptions({
  url,
  password,
  tls,
  timeoutMs,
}: Settings): Promise<ConnectionOptions & { readonly url: string }> {
  const { parseAddress } = await import("../valkey/server-url.js");
  try {
    parseAddress(url);
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : "invalid server URL");
  }
  return {
    url,
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    ...(timeoutMs !== undefined && { timeout: timeoutMs, connectTimeoutMs: timeoutMs }),
  };
}

/** Opens a connection, or asks it; waits for the server if `onWait` is set. */
async function started<T>(open: () => Promise<T>, onWait: SessionLimits["onWait"]): Promise<T> {
  if (onWait === undefined) return open();
  const { startPatiently } = await import("./patient-start.js");
  return startPatiently(open, onWait);
}

async function closing<C extends { close(): Promise<void> }, T>(
  connected: C,
  run: (connected: C) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const close = (): void => void connected.close();
  signal?.addEventListener("abort", close, { once: true });
  try {
    signal?.throwIfAborted();
    return await run(connected);
  } finally {
    signal?.removeEventListener("abort", close);
    await connected.close();
  }
}

/**
 * Connects and runs `run` with the store of the installed machine.
 *
 * @throws CliError NOMACHINE if the machine is not installed; ContractError BADARG for an invalid name.
 */
export async function withStore<T>(
  settings: Settings,
  run: (store: MachineStore) => Promise<T>,
  limits: SessionLimits = {},
): Promise<T> {
  const [{ readFacts }, { readMachine }, { ask }] = await Promise.all([
    import("../valkey/layout.js"),
    import("../reads/installed-machine.js"),
    import("../valkey/ask.js"),
  ]);
  const { namespace, machine } = await checkedNames(settings);
  const storeIn = async (connection: Connection): Promise<MachineStore> => {
    const facts = await ask(connection, `namespace ${namespace}`, (client) => readFacts(client, namespace));
    const { partitions = 1 } = facts ?? {};
    const location = { namespace, machine, partitions };
    const installed = await readMachine(connection, location);
    if (facts === undefined || installed === null) throw await noMachine(connection, settings, partitions);
    return { connection, location, definition: installed.definition };
  };
  return withConnection(
    settings,
    async (connection) => run(await started(() => storeIn(connection), limits.onWait)),
    limits,
  );
}

/** Connects and runs `run` with the entities of the installed machine; see {@link withStore}. */
export async function withEntities<T>(
  settings: Settings,
  run: (entities: Entities, store: MachineStore) => Promise<T>,
  limits: SessionLimits = {},
): Promise<T> {
  const { Entities } = await import("../entities.js");
  return withStore(settings, (store) => run(new Entities(store), store), limits);
}

/** Returns the server's time in ms. Ages are computed with it, because the clock of this host may be wrong. */
export async function serverNow({ connection }: Pick<MachineStore, "connection">): Promise<number> {
  const [{ ask }, { readServerTime }] = await Promise.all([
    import("../valkey/ask.js"),
    import("../valkey/server-clock.js"),
  ]);
  return (await ask(connection, "server time", readServerTime)).nowMs;
}

/** Returns the names of machine and namespace. @throws ContractError BADARG if one is invalid. */
export async function checkedNames({
  machine,
  namespace,
}: Settings): Promise<{ machine: string; namespace: string }> {
  const [{ checkName }, { MACHINE_NAME }] = await Promise.all([
    import("../contract/arguments.js"),
    import("../machine/names.js"),
  ]);
  return {
    machine: checkName(MACHINE_NAME, machine),
    namespace: checkName({ ...MACHINE_NAME, kind: "namespace" }, namespace),
  };
}

/** Returns the command that installs the machine. */
function applyCommand(settings: Settings): string {
  const { machine } = settings;
  const { machine: _, ...given } = settings.given;
  const file = machine === "agent" ? [] : ["-f", `${machine}.yaml`];
  return commandFor({ ...settings, given }, "apply", [], file);
}

async function noMachine(connection: Connection, settings: Settings, partitions: number): Promise<CliError> {
  const { readMachineNames } = await import("../reads/installed-machine.js");
  const { machine, namespace } = settings;
  const installed = await readMachineNames(connection, { namespace, partitions });
  const apply = applyCommand(settings);
  const [other] = installed;
  const message =
    other === undefined
      ? `namespace "${namespace}" has no machines`
      : `namespace "${namespace}" has no machine "${machine}"; it has ${installed.join(", ")}`;
  return new CliError("NOMACHINE", message, {
    hint: machine === "agent" || other === undefined ? apply : `-m ${other}, or ${apply}`,
    facts: { machine, installed },
  });
}
