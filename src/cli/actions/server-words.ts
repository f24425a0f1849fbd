import { liveIds } from "../../contract/flat-reply.js";
import { type CompiledMachine, stateOf } from "../../machine/compiled.js";
import { readMachine } from "../../reads/installed-machine.js";
import type { Connection } from "../../valkey/connection.js";
import { Deadline } from "../../valkey/deadline.js";
import { allPartitionKeys, entityKey, type MachineLocation } from "../../valkey/keys.js";
import { installedMachines, readFacts } from "../../valkey/layout.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { withConnection } from "../session.js";

/** Default time limit of a completion in ms; LATCHKEY_COMPLETION_MS overrides it. */
const BUDGET_MS = 200;
const MOST_IDS = 50;
const SCAN_STEP = 500;

/** Looks up words on the server. Words that do not arrive in time are omitted. */
export class ServerWords {
  readonly #settings: Settings;
  readonly #budgetMs: number;

  constructor(settings: Settings, env: CliContext["env"]) {
    this.#settings = settings;
    const wanted = env.LATCHKEY_COMPLETION_MS ?? "";
    this.#budgetMs = /^\d{1,6}$/.test(wanted) ? Number(wanted) : BUDGET_MS;
  }

  /** Lists the installed machines. */
  machines(): Promise<readonly string[]> {
    return this.#inTime([], ({ client }) => installedMachines(client, this.#settings.namespace));
  }

  /** Lists the reactions of the machine. */
  reactions(): Promise<readonly string[]> {
    return this.#inTime([], async ({ client }, location) => {
      const { reactionStats } = await import("../../reactions/stats.js");
      return (await reactionStats(client, location)).map(({ name }) => name);
    });
  }

  /** Lists the states of the machine. */
  async states(): Promise<readonly string[]> {
    const installed = await this.#inTime(null, (connection, location) => readMachine(connection, location));
    return Object.keys((installed?.definition ?? (await this.#builtIn()))?.states ?? {});
  }

  /** Lists the states that an entity can enter; all states if it cannot be read in time. */
  async nextStates(id: string): Promise<readonly string[]> {
    const next = await this.#inTime(undefined, async (connection, location) => {
      const [installed, state] = await Promise.all([
        readMachine(connection, location),
        connection.client.hmget(entityKey(location, id), "state").then(([text]) => text), // a reader has no HGET
      ]);
      return installed === null || state == null
        ? undefined
        : (stateOf(installed.definition, state)?.to ?? []);
    });
    return next ?? this.states();
  }

  /** Finds some ids that begin with `prefix`. */
  async ids(prefix: string): Promise<readonly string[]> {
    if (!/^[A-Za-z0-9_.~:/@+=-]*$/.test(prefix)) return [];
    const found: string[] = [];
    // A partial result is useful too.
    await this.#inTime(undefined, async ({ client }, location) => {
      for (const { index } of allPartitionKeys(location)) {
        let cursor = "0";
        do {
          const [next, flat] = await client.zscan(index, cursor, "MATCH", `${prefix}*`, "COUNT", SCAN_STEP);
          found.push(...liveIds(flat));
          cursor = next;
        } while (cursor !== "0" && found.length < MOST_IDS);
        if (found.length >= MOST_IDS) break;
      }
    });
    return [...new Set(found)].sort().slice(0, MOST_IDS);
  }

  async #builtIn(): Promise<CompiledMachine | undefined> {
    if (this.#settings.machine !== "agent") return undefined;
    const [{ agent }, { compileMachine }] = await Promise.all([
      import("../../machine/agent.js"),
      import("../../machine/compile.js"),
    ]);
    return compileMachine(agent());
  }

  async #inTime<T>(
    otherwise: T,
    run: (connection: Connection, location: MachineLocation) => Promise<T>,
  ): Promise<T> {
    // The time limit does not include loading the client.
    await import("../../valkey/connection.js");
    const { namespace, machine } = this.#settings;
    const answer = withConnection(
      this.#settings,
      async (connection) => {
        const facts = await readFacts(connection.client, namespace);
        if (facts === undefined) return otherwise;
        return run(connection, { namespace, machine, partitions: facts.partitions });
      },
      { signal: AbortSignal.timeout(this.#budgetMs), connectTimeoutMs: this.#budgetMs },
    );
    return Deadline.in(this.#budgetMs)
      .race(answer)
      .catch(() => otherwise);
  }
}
