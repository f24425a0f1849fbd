import { rm } from "node:fs/promises";
import { type CompiledMachine, compileMachine, type MachineDefinition } from "latchkey";
import type { AllowedLoss, RunRecord } from "../history/records.js";
import { HistoryWriter, monotonicMs } from "../history/writer.js";
import { job } from "../machines/job.js";
import type { MachineKeys } from "../machines/keys.js";
import type { Servers } from "../servers/servers.js";
import { writeFinalState } from "./final-state.js";
import type { InjectionResult } from "./injections.js";
import type { LogTrimmer } from "./log-trimmer.js";

/** Holds the parts of a history. */
export interface Parts {
  readonly run: Pick<RunRecord, "seed" | "topology" | "command" | "startedAt">;
  readonly injected: readonly InjectionResult[];
  /** History files of the processes and of the runner. */
  readonly files: readonly string[];
  readonly servers: Servers;
  readonly keys: MachineKeys;
  readonly logTrimmer: LogTrimmer;
}

/** Assembles the history of a run: the files of its processes, and everything that the server holds at the end. */
export async function writeHistory(path: string, parts: Parts): Promise<void> {
  const { run, injected, files, servers, keys, logTrimmer } = parts;
  await rm(path, { force: true });
  const history = new HistoryWriter(path);
  history.append({
    kind: "run",
    format: 2,
    ...run,
    machines: [await installed(servers, keys, job)],
    loss: lossOf(injected),
    clocks: clocksOf(injected),
  });
  for (const file of files) history.appendFile(file);
  await writeFinalState(servers, keys, history);
  await logTrimmer.write(servers, history);
  history.append({ kind: "end", at: monotonicMs() });
  history.close();
}

/** Returns the faults of a run that may lose acknowledged changes. */
export function lossOf(injected: readonly InjectionResult[]): AllowedLoss[] {
  return injected.flatMap(({ fault: { name, loses }, injected: times }) => {
    if (loses === false || times === 0) return [];
    return [{ fault: name, windowMs: null, ...(loses !== true && loses) }];
  });
}

/** Returns the names of the faults of a run that set a clock. */
export function clocksOf(injected: readonly InjectionResult[]): string[] {
  return injected.flatMap(({ fault: { name, setsClock } }) => (setsClock === true ? [name] : []));
}

/** Returns the machine as installed: its states in the order of their ordinals. */
export async function installed(
  servers: Servers,
  keys: MachineKeys,
  definition: MachineDefinition,
): Promise<CompiledMachine> {
  const key = `${keys.prefix(0)}machine`;
  const { admin } = await servers.primary(key);
  const order = (await admin.hget(key, "states")) ?? "";
  const machine = compileMachine(definition);
  const states = order.split(" ").flatMap((name) => {
    const state = machine.states[name];
    return state === undefined ? [] : [[name, state] as const];
  });
  return { ...machine, states: Object.fromEntries(states) };
}
