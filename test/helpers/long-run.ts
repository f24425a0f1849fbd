import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { root } from "./built.js";
import { freshFolder } from "./folder.js";

/** A run of the command line that goes on by itself until something ends it. */
export interface LongRun {
  readonly child: ChildProcess;
  /** Its folder for temporary files, empty at the start. */
  readonly tmp: string;
  /** The first line of stdout that matches, now or later. @throws Error when it ends without one. */
  line(pattern: RegExp): Promise<string>;
  /** Waits until stderr contains a text. @throws Error when it ends without it. */
  noted(text: string): Promise<void>;
  /** Exit code and output. */
  readonly ended: Promise<{ exit: number | null; stdout: string; stderr: string }>;
  /** Command lines of the processes that it started and that still run, including itself. */
  remains(): Promise<string[]>;
}

/** Starts `latchkey` with these words. It is ended with the test at the latest. */
export async function startLatchkey(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<LongRun> {
  const tmp = await freshFolder();
  const child = spawn(process.execPath, ["bin/latchkey.js", ...words], {
    cwd: root,
    env: { ...withoutServers(process.env), ...env, TMPDIR: tmp },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  let stderr = "";
  const output = createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([exit]) => ({
    exit: typeof exit === "number" ? exit : null,
    stdout: lines.map((line) => `${line}\n`).join(""),
    stderr,
  }));
  const line = (pattern: RegExp): Promise<string> => {
    const past = lines.find((one) => pattern.test(one));
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      output.on("line", (one) => pattern.test(one) && resolve(one));
      ended.then(
        ({ stdout }) => reject(new Error(`It ended without ${pattern}:\n${stdout}${stderr}`)),
        reject,
      );
    });
  };
  const noted = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => void (stderr.includes(text) && resolve());
      look();
      child.stderr.on("data", look);
      ended.then(() => reject(new Error(`It ended without ${text}:\n${stderr}`)), reject);
    });
  return { child, tmp, line, noted, ended, remains: () => processesOf(tmp) };
}

/**
 * Finds the processes whose environment names a folder for temporary files, as it is inherited, or which work in it, as a
 * server does that overwrites its environment with its title. This needs Linux.
 */
async function processesOf(tmp: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    const variables = (await read("environ")).split("\0");
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => "");
    if (!variables.includes(`TMPDIR=${tmp}`) && !folder.startsWith(tmp)) return [];
    return [(await read("cmdline")).replaceAll("\0", " ")];
  });
  return (await Promise.all(found)).flat();
}

/** The environment without what names a server: a test names its own. */
function withoutServers(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const named = ["LATCHKEY_URL", "VALKEY_URL", "REDIS_URL", "LATCHKEY_NAMESPACE", "LATCHKEY_MACHINE"];
  return Object.fromEntries(Object.entries(env).filter(([name]) => !named.includes(name)));
}
