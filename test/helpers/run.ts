import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Settings of {@link tryRun}. */
export interface RunOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** After how many ms the program is ended. @default 240000 */
  readonly timeout?: number;
}

/** Exit code and output of a program. */
export interface Ended {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. @throws Error if it cannot be started, or had to be killed */
export async function tryRun(program: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  const settings = { encoding: "utf8", timeout: 240_000, maxBuffer: 2 ** 26, ...options } as const;
  try {
    return { exit: 0, ...(await promisify(execFile)(program, args, settings)) };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && "stdout" in error && "stderr" in error)) throw error;
    const { code, stdout, stderr } = error;
    if (typeof code === "number") return { exit: code, stdout: String(stdout), stderr: String(stderr) };
    throw new Error(`${program} ${args.join(" ")} did not end by itself:\n${stdout}${stderr}`, {
      cause: error,
    });
  }
}

/** Runs a program that must succeed. @returns its standard output */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { exit, stdout, stderr } = await tryRun(program, args, options);
  if (exit !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${exit}:\n${stdout}${stderr}`);
  return stdout;
}
