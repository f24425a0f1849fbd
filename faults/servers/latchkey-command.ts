import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** What `latchkey fsck` said. */
export interface FsckVerdict {
  readonly isClean: boolean;
  readonly text: string;
}

/** Runs `latchkey fsck --deep` on the data that a run leaves. */
export async function fsck(url: string, namespace: string, machine: string): Promise<FsckVerdict> {
  const root = dirname(createRequire(import.meta.url).resolve("latchkey/package.json"));
  const words = ["fsck", "--deep", "--url", url, "--namespace", namespace, "--machine", machine];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, "bin/latchkey.js"), ...words],
      { maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        const text = `${stdout}${stderr}`.trim();
        resolve({ isClean: error === null, text });
      },
    );
  });
}

/** What the doctor says of one thing. */
export interface Finding {
  readonly id: string;
  readonly level: "ok" | "note" | "warn" | "bad";
  readonly seen: string;
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

/** Has `latchkey doctor` look at a server here. */
export async function doctor(url: string, namespace = "latchkey"): Promise<readonly Finding[]> {
  return JSON.parse(await latchkey(url, ["doctor", "-o", "json", "--namespace", namespace])).findings;
}

/** What `latchkey doctor` says of one thing; undefined where it says nothing. */
export async function doctorFinding(url: string, id: string): Promise<Finding | undefined> {
  return (await doctor(url)).find((finding) => finding.id === id);
}

/** What `latchkey fsck --deep` finds in a namespace with the machine `agent`: a line for each finding; none is clean. */
export async function fsckFindings(url: string, namespace: string): Promise<readonly string[]> {
  const told = await latchkey(url, ["fsck", "--deep", "-o", "jsonl", "--namespace", namespace]);
  return told.split("\n").filter((line) => line !== "");
}
