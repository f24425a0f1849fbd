import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Exit } from "./messages.js";

/** File descriptor by which the demo notices that a replica and all its agents are gone; see fleet.ts. */
export const LIFELINE_FD = 4;

const OUTPUT_KEPT = 200;

/** Process of an agent, started by this replica. */
export interface AgentProcess {
  /** Undefined if it could not be started; `ended` then has the reason. */
  readonly pid: number | undefined;
  /** Settles when the process has ended and its output has been read. */
  readonly ended: Promise<Exit>;
  /** Sends the line that the process waits for. */
  work(task: string): void;
  kill(signal: NodeJS.Signals): void;
}

/** Starts `sh -c command`. Keeps the beginning of its output. */
export function startAgent(command: string): AgentProcess {
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "pipe", "pipe", LIFELINE_FD] });
  child.stdin?.on("error", () => {}); // it may have ended before it read its line; its exit reports that
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
