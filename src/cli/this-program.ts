import { accessSync, constants, realpathSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import { shellWord } from "./shell-command.js";

/**
 * How this program is called from a shell on this machine, in this folder: `latchkey` where that is found on PATH,
 * else Node with the file, as in a fresh clone.
 *
 * @param script the file that Node runs
 * @example thisProgram(); // "node bin/latchkey.js"
 */
export function thisProgram(script = process.argv[1] ?? "latchkey", path = process.env.PATH ?? ""): string {
  const own = realpathSync(script);
  if (path.split(delimiter).some((folder) => leadsTo(join(folder, "latchkey"), own))) return "latchkey";
  const nearby = relative(process.cwd(), own);
  return `node ${shellWord(nearby.startsWith("..") ? own : nearby)}`;
}

/** Whether a file can be executed and is, behind its links, the program itself. */
function leadsTo(file: string, own: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return realpathSync(file) === own;
  } catch {
    return false;
  }
}
