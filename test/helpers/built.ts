import { fileURLToPath } from "node:url";
import { run } from "./run.js";

/** The project's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Makes sure that dist is built from the present sources; nothing is done where it is. */
export async function built(): Promise<void> {
  await run(process.execPath, ["scripts/setup.mjs", "--no-server"], { cwd: root });
}
