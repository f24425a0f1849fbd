import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Runs module code in a Node process of its own and returns what it printed, parsed as JSON. */
export async function inNode(code: string, options: { cwd?: string } = {}): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "--eval", code],
    options,
  );
  return JSON.parse(stdout);
}
