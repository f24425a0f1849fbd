import type { Entities } from "../entities.js";
import type { Latchkey } from "../latchkey.js";
import type { Connection, ConnectionOptions } from "../valkey/connection.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { CliError, usageError } from "./cli-error.js";
import { codeOf } from "./exit-codes.js";
import type { Settings } from "./input/settings.js";
import { placeOptions } from "./output/next-steps.js";
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
): Promise<T> {
  const { connect } = await import("../latchkey.js");
  const { namespace } = settings;
  const options = await connectionOptions(settings);
  return closing(await connect({ ...options, namespace }), run, undefined);
}

/** The same with nothing but a connection, for what is about the server and not about a namespace. */
export async function withConnection<T>(
  settings: Settings,
  run: (connection: Connection) => Promise<T>,
  { signal, ...limits }: SessionLimits = {},
): Promise<T> {
  const { openConnection } = await import("../valkey/connection.js");
  const options = await connectionOptions(settings);
  const connection = await openConnection({ ...options, ...limits });
  try {
    return await closing(connection, run, signal);
  } catch (error) {
    // It was not there, or is gone meanwhile.
    if (error instanceof CliError || !(error instanceof Error) || codeOf(error) !== "NOMACHINE") throw error;
    throw new CliError("NOMACHINE", error.message, { hint: applyCommand(settings) }, error);
  }
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
 * Connects and runs `run` with the machine that is installed.
 *
 * @throws CliError NOMACHINE where it is not, with what to type; ContractError for a name that can't be one.
 */
export async function withStore<T>(
  settings: Settings,
  run: (store: MachineStore) => Promise<T>,
  limits: SessionLimits = {},
): Promise<T> {
  const [{ readFacts }, { readMachine }, { ask }, { checkName }, { MACHINE_NAME }] = await Promise.all([
    import("../valkey/layout.js"),
    import("../reads/installed-machine.js"),
    import("../valkey/ask.js"),
    import("../contract/arguments.js"),
    import("../machine/names.js"),
  ]);
  const { namespace } = settings;
  const machine = checkName(MACHINE_NAME, settings.machine);
  checkName({ ...MACHINE_NAME, kind: "namespace" }, namespace);
  return withConnection(
    settings,
    async (connection) => {
      const facts = await ask(connection, `namespace ${namespace}`, (client) => readFacts(client, namespace));
      const location = { namespace, machine, partitions: facts?.partitions ?? 1 };
      const installed = facts === undefined ? null : await readMachine(connection, location);
      if (installed === null) throw await noMachine(connection, settings);
      return run({ connection, location, definition: installed.definition });
    },
    limits,
  );
}

/** The same, with the entities of the machine. */
export async function withEntities<T>(
  settings: Settings,
  run: (entities: Entities, store: MachineStore) => Promise<T>,
  limits: SessionLimits = {},
): Promise<T> {
  const { Entities } = await import("../entities.js");
  return withStore(settings, (store) => run(new Entities(store), store), limits);
}

/** What to type to install the machine. */
function applyCommand(settings: Settings): string {
  const { machine } = settings;
  const { machine: _, ...given } = settings.given;
  const file = machine === "agent" ? [] : ["-f", `${machine}.yaml`];
  return shellCommand("apply", [], [...file, ...placeOptions({ ...settings, given })]);
}

async function noMachine(connection: Connection, settings: Settings): Promise<CliError> {
  const [{ notedMachines }, { ask }] = await Promise.all([
    import("../valkey/layout.js"),
    import("../valkey/ask.js"),
  ]);
  const { machine, namespace } = settings;
  const installed = await ask(connection, "machines", (client) => notedMachines(client, namespace));
  const others = installed.length === 0 ? "none is" : `installed are ${installed.join(", ")}`;
  const message = `no machine "${machine}" is installed in namespace "${namespace}"; ${others}`;
  const apply = applyCommand(settings);
  const [other] = installed;
  return new CliError("NOMACHINE", message, {
    hint: machine === "agent" || other === undefined ? apply : `-m ${other}, or ${apply}`,
    facts: { machine: JSON.stringify(machine), installed: JSON.stringify(installed) },
  });
}
