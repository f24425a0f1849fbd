import type { Valkey } from "iovalkey";
import { liveIds } from "../../contract/flat-reply.js";
import { type CompiledMachine, stateOf } from "../../machine/compiled.js";
import { readMachine, readMachineNames } from "../../reads/installed-machine.js";
import { ask } from "../../valkey/ask.js";
import type { Connection } from "../../valkey/connection.js";
import { Deadline } from "../../valkey/deadline.js";
import { allPartitionKeys, entityKey, type MachineLocation } from "../../valkey/keys.js";
import { readFacts } from "../../valkey/layout.js";
import { scanSet } from "../../valkey/set-scan.js";
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
    return this.#inTime([], (connection, location) => readMachineNames(connection, location));
  }

  /** Lists the reactions of the machine. */
  reactions(): Promise<readonly string[]> {
    return this.#inTime([], async (connection, location) => {
      const { reactionStats } = await import("../../reactions/stats.js");
      return (await reactionStats(connection, location, {})).map(({ name }) => name);
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
      const key = entityKey(location, id);
      const [installed, [state]] = await Promise.all([
        readMachine(connection, location),
        this.#ask(connection, key, (client) => client.hmget(key, "state")), // a reader has no HGET
      ]);
      return installed === null || state == null
        ? undefined
        : (stateOf(installed.definition, state)?.to ?? []);
    });
    return next ?? this.states();
  }

  /** Finds some ids that begin with `prefix`, in all partitions at once. */
  async ids(prefix: string): Promise<readonly string[]> {
    if (!/^[A-Za-z0-9_.~:/@+=-]*$/.test(prefix)) return [];
    const found: string[] = [];
    // A partial result is useful too: some are found although the time is up, or a server is down.
    await this.#inTime(undefined, async (connection, location) => {
      const search = async (index: string): Promise<void> => {
        const askIndex = <T>(question: (client: Valkey) => Promise<T>) =>
          this.#ask(connection, index, question);
        for await (const flat of scanSet(askIndex, index, SCAN_STEP, `${prefix}*`)) {
          found.push(...liveIds(flat));
          if (found.length >= MOST_IDS) return;
        }
      };
      await Promise.allSettled(allPartitionKeys(location).map(({ index }) => search(index)));
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

  /** Asks the server that holds a key, as soon as it is connected. */
  #ask<T>(connection: Connection, key: string, question: (client: Valkey) => Promise<T>): Promise<T> {
    return ask(connection.of(key), "a completion", question, { timeoutMs: this.#budgetMs });
  }

  async #inTime<T>(
    otherwise: T,
    run: (connection: Connection, location: MachineLocation) => Promise<T>,
  ): Promise<T> {
    // The time limit does not include loading the client.
    await import("../../valkey/open-connection.js");
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
