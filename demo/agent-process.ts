import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Exit } from "./messages.js";

/** The file descriptor by which the demo knows that a replica and all its agents are gone; see fleet.ts. */
export const LIFELINE_FD = 4;

const OUTPUT_KEPT = 200;

/** An agent's process, started by this replica. */
export interface AgentProcess {
  /** Undefined where it could not be started; then `ended` tells why. */
  readonly pid: number | undefined;
  /** Settles when the process has ended and its output has been read. */
  readonly ended: Promise<Exit>;
  /** Sends it the line it waits for. */
  work(task: string): void;
  kill(signal: NodeJS.Signals): void;
}

/** Starts `sh -c command`. What it prints, on either output, is kept up to a line's length. */
export function startAgent(command: string): AgentProcess {
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "pipe", "pipe", LIFELINE_FD] });
  child.stdin?.on("error", () => {}); // it may have ended before it read its line; its exit tells the same
  return {
    pid: child.pid,
    ended: exitOf(child),
    work: (task) => void child.stdin?.write(`${task}\n`),
    kill: (signal) => void child.kill(signal),
  };
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  let output = "";
  const keep = (stream: Readable | null): void => {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(0, OUTPUT_KEPT);
    });
  };
  keep(child.stdout);
  keep(child.stderr);
  return new Promise((resolve) => {
    child.once("error", (error) => {
      if (child.pid === undefined) resolve({ kind: "not-started", error: error.message });
    });
    child.once("close", (code, signal) => {
      if (signal !== null) resolve({ kind: "signal", signal });
      else resolve({ kind: "code", code: code ?? 0, output: output.trim().replaceAll(/[^ -~]+/g, " ") });
    });
  });
}
