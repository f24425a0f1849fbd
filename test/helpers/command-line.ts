import { agent, type Entities, type Latchkey } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { root } from "./built.js";
import { client } from "./client.js";
import { type Ended, tryRun } from "./run.js";
import { useValkey } from "./valkey.js";

/** The command line in a namespace of its own, and the same namespace through the library. */
export interface CommandLine {
  readonly namespace: string;
  readonly url: string;
  readonly latchkey: Latchkey;
  /** Runs `latchkey` with these words to its end. */
  run(words: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended>;
  /** The environment that `run` runs in. */
  readonly env: NodeJS.ProcessEnv;
}

/** The command line in a fresh namespace. */
export async function commandLine(): Promise<CommandLine> {
  const { url } = await useValkey();
  const latchkey = await client();
  const { namespace } = latchkey;
  const env = { PATH: process.env.PATH, LATCHKEY_URL: url, LATCHKEY_NAMESPACE: namespace };
  return {
    namespace,
    url,
    latchkey,
    env,
    run: (words, more = {}) =>
      tryRun(process.execPath, ["bin/latchkey.js", ...words], { cwd: root, env: { ...env, ...more } }),
  };
}

/** Runs the command line with the agent machine installed, and returns its entities. */
export async function agentCommandLine(): Promise<CommandLine & { agents: Entities<AgentState> }> {
  const line = await commandLine();
  return { ...line, agents: await line.latchkey.machine(agent()) };
}

/** The error that a command wrote to stderr as JSON. */
export function jsonError({ stderr }: Ended): Record<string, unknown> {
  return JSON.parse(stderr).error;
}
