import { MachineDefinitionError } from "../errors/machine-definition-error.js";
import { compileMachine } from "./compile.js";
import { defineMachine } from "./define.js";
import type { Machine } from "./definition.js";
import type { Duration } from "./duration.js";
import { didYouMean } from "./suggest.js";

/** The states of the built-in `agent` machine. */
export type AgentState = "spawning" | "running" | "completed" | "failed" | "killed";

/** The events of entering the states of the built-in `agent` machine. */
export type AgentEvent = "agent.spawned" | `agent.${Exclude<AgentState, "spawning">}`;

/** Customizes the built-in agent machine. */
export interface AgentOptions {
  /** Version: 2 or more if any other option is set; increase it with every further change. @default 1 */
  readonly version?: number;
  /** Time after which completed, failed and killed agents are removed. @default never */
  readonly retain?: Duration;
  /** Number of changes in the history of each agent, 1 to 1000. @default 16 */
  readonly history?: number;
  /** Number of events that the event log keeps in each partition, 1 to 10,000,000. @default 100000 */
  readonly keepEvents?: number;
  /** Time in the state spawning after which an agent fails with the error `spawn timed out`. @default never */
  readonly spawnTimeout?: Duration;
  /** Time without a heartbeat after which a running agent fails with the error `lease expired`. @default never */
  readonly lease?: Duration;
}

const OPTIONS: readonly (keyof AgentOptions)[] = [
  "version",
  "retain",
  "history",
  "keepEvents",
  "spawnTimeout",
  "lease",
];

/**
 * Returns the built-in machine for agents: spawning, running, then completed, failed or killed.
 *
 * @throws MachineDefinitionError if an option is invalid, or if options change the machine under version 1, because a
 * server rejects the same version with another definition
 * @example
 * agent();
 * agent({ version: 2, retain: "7d", lease: "30s" });
 */
export function agent(options: AgentOptions = {}): Machine<AgentState, "agent", AgentEvent> {
  checkNames(options);
  const machine = build(options);
  if (machine.version === 1 && compileMachine(machine).json !== compileMachine(build({})).json) {
    const changed = Object.entries(options)
      .filter(([option, value]) => option !== "version" && value !== undefined)
      .map(([option]) => option);
    const message =
      `must be 2 or more with ${changed.join(", ")}: these change the built-in machine, ` +
      "and a server rejects version 1 with another definition";
    throw new MachineDefinitionError([{ path: "version", message }]);
  }
  return machine;
}

/** Rejects unknown options, which the compiler does not do in JavaScript. A misspelt lease would have no effect. */
function checkNames(options: AgentOptions): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new MachineDefinitionError([{ path: "", message: `options must be an object, not ${options}` }]);
  const unknown = Object.keys(options).filter((name) => !OPTIONS.some((option) => option === name));
  if (unknown.length === 0) return;
  throw new MachineDefinitionError(
    unknown.map((name) => ({ path: name, message: `unknown option${didYouMean(name, OPTIONS)}` })),
  );
}

function build(options: AgentOptions): Machine<AgentState, "agent", AgentEvent> {
  const { version = 1, retain, history = 16, keepEvents = 100_000, spawnTimeout, lease } = options;
  return defineMachine({
    name: "agent",
    version,
    initial: "spawning",
    states: {
      spawning: {
        event: "agent.spawned",
        to: ["running", "failed", "killed"],
        ...(spawnTimeout !== undefined && {
          timeout: { after: spawnTimeout, to: "failed", set: { error: "spawn timed out" } },
        }),
      },
      running: {
        stamp: "startedAt",
        to: ["completed", "failed", "killed"],
        ...(lease !== undefined && { lease: { for: lease, to: "failed", set: { error: "lease expired" } } }),
      },
      completed: { stamp: "completedAt" },
      failed: { stamp: "completedAt", require: ["error"] },
      killed: { stamp: "completedAt" },
    },
    history,
    events: { keep: keepEvents },
    ...(retain !== undefined && { retain }),
  });
}
