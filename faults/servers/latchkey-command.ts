import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const PROGRAM = join(
  dirname(createRequire(import.meta.url).resolve("latchkey/package.json")),
  "bin/latchkey.js",
);

interface Output {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line of latchkey. Returns its output with any exit code. */
async function latchkey(...args: readonly string[]): Promise<Output> {
  const run = promisify(execFile)(process.execPath, [PROGRAM, ...args], { maxBuffer: 2 ** 26 });
  return run.then(
    (output) => ({ exitCode: 0, ...output }),
    (error: unknown) => {
      if (!(error instanceof Error && "stdout" in error && "stderr" in error && "code" in error)) throw error;
      return { exitCode: Number(error.code), stdout: String(error.stdout), stderr: String(error.stderr) };
    },
  );
}

/** Describes one result of `latchkey doctor`. */
export interface DoctorResult {
  readonly id: string;
  readonly level: "ok" | "info" | "warn" | "fail";
}

/** Runs `latchkey doctor` on a server. */
export async function doctor(url: string): Promise<readonly DoctorResult[]> {
  const { stdout } = await latchkey("doctor", "-o", "json", "--url", url);
  return JSON.parse(stdout).checks;
}

/** Returns one result of `latchkey doctor`, or undefined if the doctor does not report it. */
export async function doctorResult(url: string, id: string): Promise<DoctorResult | undefined> {
  return (await doctor(url)).find((result) => result.id === id);
}

/** Describes the result of `latchkey fsck`. */
export interface FsckVerdict {
  readonly isClean: boolean;
  readonly text: string;
}

/** Runs `latchkey fsck --deep` on the data that a run leaves. */
export async function fsck(url: string, namespace: string, machine: string): Promise<FsckVerdict> {
  const words = ["fsck", "--deep", "--url", url, "--namespace", namespace, "--machine", machine];
  const { exitCode, stdout, stderr } = await latchkey(...words);
  return { isClean: exitCode === 0, text: `${stdout}${stderr}`.trim() };
}
