import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** One result of `latchkey doctor`. */
export interface DoctorResult {
  readonly id: string;
  readonly level: "ok" | "info" | "warn" | "fail";
  readonly status: string;
}

const PROGRAM = join(
  dirname(createRequire(import.meta.url).resolve("latchkey/package.json")),
  "bin/latchkey.js",
);

/** Runs the command line of latchkey on a server here, and reads the JSON that it prints, whatever its exit code. */
async function latchkey(url: string, args: readonly string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, [PROGRAM, ...args, "--url", url], { maxBuffer: 2 ** 26 });
  return run.then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      if (error instanceof Error && "stdout" in error && "code" in error && error.code === 1) {
        return String(error.stdout);
      }
      throw error;
    },
  );
}

/** Runs `latchkey doctor` on a server of this host. */
export async function doctor(url: string, namespace = "latchkey"): Promise<readonly DoctorResult[]> {
  return JSON.parse(await latchkey(url, ["doctor", "-o", "json", "--namespace", namespace])).checks;
}

/** Returns one result of `latchkey doctor`, or undefined if there is none with that id. */
export async function doctorResult(url: string, id: string): Promise<DoctorResult | undefined> {
  return (await doctor(url)).find((result) => result.id === id);
}

/** What `latchkey fsck --deep` finds in a namespace with the machine `agent`: a line for each finding; none is clean. */
export async function fsckFindings(url: string, namespace: string): Promise<readonly string[]> {
  const told = await latchkey(url, ["fsck", "--deep", "-o", "jsonl", "--namespace", namespace]);
  return told.split("\n").filter((line) => line !== "");
}
