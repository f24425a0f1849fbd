import { setTimeout as pause } from "node:timers/promises";
import { ConnectError, LatchkeyError, type MachineDefinition } from "latchkey";
import type { HistoryWriter } from "../history/writer.js";
import { Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Reports } from "./reports.js";

const CONNECT_AGAIN_MS = 50;

/** Connects, however often that fails: a client may begin in the midst of a fault. */
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

/** Lets a client do its work, to its end and to the last word of it. */
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

/** Does what this process was started for; if that fails, the runner is told why. */
export function start(run: (settings: ClientSettings) => Promise<void>): void {
  run(JSON.parse(process.argv[2] ?? "{}") as ClientSettings).catch((error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.send?.({ kind: "problem", text: `${process.pid} ended: ${text}` }, () => process.exit(1));
  });
}
