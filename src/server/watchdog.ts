import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";

/**
 * Waits for the end of its standard input, then ends the server and removes its folder.
 * $1 = pid, $2 = signal, $3 = folder to remove or empty. After TERM the server has ten seconds to save its data.
 */
const SCRIPT = `
read -r _
kill -s "$2" "$1"
tries=0
while [ "$2" = TERM ] && kill -0 "$1" && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
[ "$tries" -lt 100 ] || kill -s KILL "$1"
[ -z "$3" ] || rm -rf -- "$3"
`;

/** Describes how to end the server after this process has ended. */
export interface WatchOptions {
  readonly pid: number;
  readonly signal: "TERM" | "KILL";
  readonly removeDir?: string | undefined;
}

/**
 * Ends a server when this process ends, for any reason: exit, signal, crash or SIGKILL. A small shell has the reading end
 * of a pipe, and only this process has the writing end. The system closes the pipe when the process ends, so no handler
 * is needed, and the program's own handling of SIGINT and SIGTERM does not change.
 *
 * The shell has its own process group, so that Ctrl-C on the terminal does not end it first. Call `disarm` as soon as the
 * server has ended, because another process may then get its pid.
 */
export function watch(options: WatchOptions, onFailure: (cause: Error) => void): { disarm(): void } {
  const { pid, signal, removeDir = "" } = options;
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "latchkey-watchdog", String(pid), signal, removeDir], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.once("error", onFailure);
  release(shell);
  return { disarm: () => void shell.kill("SIGKILL") };
}

/** Allows this process to end while the child and its pipes are open. */
export function release(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) if (stream instanceof Socket) stream.unref();
}
