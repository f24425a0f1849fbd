import { MISSING_STAMP } from "../../sweep/partition.js";
import { type SweepReport, SweepReporter } from "../../sweep/report.js";
import { checkSweep, type SweepOptions } from "../../sweep/sweep.js";
import { silentLogger } from "../../valkey/logger.js";
import { onAbort } from "../../valkey/on-abort.js";
import type { MemoryServer } from "./memory-server.js";

/** Fires the timers of entities in memory that have expired: once, or in rounds until the signal is aborted. */
export async function sweepMemory(
  server: MemoryServer,
  machine: string,
  options: SweepOptions,
): Promise<SweepReport> {
  const { intervalMs, once, signal, listeners } = checkSweep(options);
  const reporter = new SweepReporter(listeners, silentLogger);
  const stuck = new Set<string>();
  const fire = (id: string): void => {
    const { outcome, text } = server.run("expire", id);
    if (outcome === "OK" && text !== null) reporter.addChange(machine, id, text);
    if (outcome !== "MISSING") {
      if (stuck.delete(id)) reporter.removeStuck(machine, id);
    } else if (!stuck.has(id) && reporter.addStuck({ machine, id, why: MISSING_STAMP })) stuck.add(id);
  };
  while (signal?.aborted !== true) {
    for (const id of overdue(server)) fire(id);
    if (once) break;
    await pause(intervalMs, signal);
  }
  return reporter.report;
}

/** Lists the entities whose timer has expired, the longest overdue first. */
function overdue({ model, nowMs }: MemoryServer): string[] {
  return [...model.entities]
    .flatMap(([id, { dueMs }]) => (dueMs !== undefined && dueMs <= nowMs ? [{ id, dueMs }] : []))
    .sort((a, b) => a.dueMs - b.dueMs || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms); // the global one, which a test may replace
    timer.unref();
    onAbort(signal, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
