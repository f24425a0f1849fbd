import { setTimeout as pause } from "node:timers/promises";
import { ConnectError, LatchkeyError, type MachineDefinition } from "latchkey";
import type { HistoryWriter } from "../history/writer.js";
import { Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Reports } from "./reports.js";

const CONNECT_AGAIN_MS = 50;

/** Connects, with as many attempts as it takes: a client may start during a fault. */
export async function openLibrary(
  { url, namespace, name, timeoutMs }: ClientSettings,
  machine: MachineDefinition,
): Promise<Library> {
  for (;;) {
    try {
      return await Library.open(url, namespace, name, timeoutMs, machine);
    } catch (error) {
      const passes = error instanceof ConnectError || error instanceof LatchkeyError;
      if (!passes) throw error;
      await pause(CONNECT_AGAIN_MS);
    }
  }
}

/** Runs a client until it ends, and sends its last reports. */
export async function runToEnd(
  client: { run(): Promise<void> },
  library: Library,
  history: HistoryWriter,
  reports: Reports,
): Promise<void> {
  reports.ready();
  await client.run();
  history.close();
  await library.close();
  await reports.end();
}

/** Runs the program of this process. Reports a failure to the runner. */
export function start(run: (settings: ClientSettings) => Promise<void>): void {
  run(JSON.parse(process.argv[2] ?? "{}") as ClientSettings).catch((error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.send?.({ kind: "problem", text: `${process.pid} ended: ${text}` }, () => process.exit(1));
  });
}
