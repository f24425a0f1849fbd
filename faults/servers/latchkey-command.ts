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

/** Returns one result of `latchkey doctor`, of several servers the worst; undefined if the doctor does not report it. */
export async function doctorResult(url: string, id: string): Promise<DoctorResult | undefined> {
  const results = (await doctor(url)).filter((result) => result.id === id);
  return (
    results.find(({ level }) => level === "fail") ??
    results.find(({ level }) => level === "warn") ??
    results[0]
  );
}

/** Describes the result of `latchkey fsck`. */
export interface FsckVerdict {
  readonly isClean: boolean;
  readonly text: string;
  /** Number of entities that were dated ahead and repaired. */
  readonly repaired: number;
}

/** Names the data to check. */
export interface CheckedData {
  readonly url: string;
  readonly namespace: string;
  readonly machine: string;
}

function fsckWords({ url, namespace, machine }: CheckedData): string[] {
  return ["fsck", "--deep", "--url", url, "--namespace", namespace, "--machine", machine];
}

/** Repairs entities that were dated ahead while a clock was set forward. Returns their number. */
export async function repairDates(data: CheckedData): Promise<number> {
  const { stdout } = await latchkey(...fsckWords(data), "--repair", "-o", "json");
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly { readonly kind: string }[] };
  return findings.filter(({ kind }) => kind === "dated-ahead").length;
}

/**
 * Runs `latchkey fsck --deep` on the data that a run leaves.
 *
 * @param hasClocks true if a clock was set in the run. Entities that are dated ahead are then repaired first, if nothing
 * else is wrong.
 */
export async function fsck(data: CheckedData, hasClocks: boolean): Promise<FsckVerdict> {
  let repaired = 0;
  if (hasClocks) {
    const { stdout } = await latchkey(...fsckWords(data), "-o", "json");
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly { readonly kind: string }[] };
    const isOnlyDated = findings.every(({ kind }) => kind === "dated-ahead");
    if (isOnlyDated && findings.length > 0) repaired = await repairDates(data);
  }
  const { exitCode, stdout, stderr } = await latchkey(...fsckWords(data));
  return { isClean: exitCode === 0, text: `${stdout}${stderr}`.trim(), repaired };
}
