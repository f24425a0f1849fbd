import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";

/**
 * Waits for the end of its standard input, then ends the server and removes its folder.
 * $1 = pid, $2 = signal, $3 = folder to remove or empty. A server asked by TERM gets ten seconds to save its data.
 */
const SCRIPT = `
read -r _
kill -s "$2" "$1"
tries=0
while [ "$2" = TERM ] && kill -0 "$1" && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
[ "$tries" -lt 100 ] || kill -s KILL "$1"
[ -z "$3" ] || rm -rf -- "$3"
`;

/** What to do to the server when this process has ended. */
export interface WatchOrder {
  readonly pid: number;
  readonly signal: "TERM" | "KILL";
  readonly removeDir?: string | undefined;
}

/**
 * Makes sure that a server does not outlive this process, however the process ends: exit, signal, crash or
 * SIGKILL. A small shell holds the reading end of a pipe of which this process alone holds the writing end; the
 * system closes it when the process is gone, and no handler of ours has to run. This also leaves the program's
 * own SIGINT and SIGTERM behaviour untouched.
 *
 * The shell has a process group of its own, so that Ctrl-C on the terminal does not take it first.
 * Call `disarm` as soon as the server has ended: its pid may then belong to somebody else.
 */
export function watch(order: WatchOrder, onFailure: (cause: Error) => void): { disarm(): void } {
  const { pid, signal, removeDir = "" } = order;
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "latchkey-watchdog", String(pid), signal, removeDir], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.once("error", onFailure);
  release(shell);
  return { disarm: () => void shell.kill("SIGKILL") };
}

/** Lets this process end although the child and its pipes are still open. */
export function release(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) if (stream instanceof Socket) stream.unref();
}
