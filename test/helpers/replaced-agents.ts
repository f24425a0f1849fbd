import type { Valkey } from "iovalkey";
import { ReplacedService } from "../../demo/replaced-service.js";
import type { Entities } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { admin } from "./calls.js";
import { agentCommandLine, type CommandLine } from "./command-line.js";
import type { Ended } from "./run.js";

/** The command line, and the in-process service that it imports from, on one server. */
export interface ReplacedAgents extends CommandLine {
  readonly agents: Entities<AgentState>;
  readonly service: ReplacedService;
  readonly valkey: Valkey;
  /** Pattern of the service's keys. */
  readonly pattern: string;
  /** Returns the service's key of an agent. */
  key(id: string): string;
  /** Runs `latchkey import` from the service's keys. */
  load(...words: string[]): Promise<Ended>;
}

/** Starts with an installed agent machine and without agents. */
export async function replacedAgents(): Promise<ReplacedAgents> {
  const line = await agentCommandLine();
  const valkey = await admin();
  const prefix = `old:${line.namespace}`;
  const pattern = `${prefix}:agent:*`;
  return {
    ...line,
    service: new ReplacedService(valkey, { prefix }),
    valkey,
    pattern,
    key: (id) => `${prefix}:agent:${id}`,
    load: (...words) => line.run(["import", "--from-service", pattern, ...words]),
  };
}

/** Lets the service make an agent of each state; `failed` has no error text, `lost` never ran. */
export async function makeAgents(service: ReplacedService): Promise<void> {
  const metadata = { host: "h1", tries: [1, { a: [] }], note: "ä – 👍" };
  await service.registerSpawnedAgent("spawning", "t1", metadata);
  for (const id of ["running", "completed", "failed", "killed"]) {
    await service.registerSpawnedAgent(id, "t2", id === "running" ? undefined : metadata);
    await service.transitionToRunning(id);
  }
  await service.registerSpawnedAgent("lost", "t3");
  await service.transitionToCompleted("completed");
  await service.transitionToFailed("failed", undefined as never);
  await service.transitionToKilled("killed");
  await service.transitionToFailed("lost", "exit 137\nat line 1");
}
