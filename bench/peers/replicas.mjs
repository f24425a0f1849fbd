// The processes that work for the sides, as seen by the bench.
import { fork } from "node:child_process";
import { once } from "node:events";

/** Starts a process for a side. `ask` sends a command and returns its result; it rejects if the process ends. */
export async function startReplica(file) {
  const program = new URL("replica.mjs", import.meta.url);
  const child = fork(program, [file], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const pending = new Map();
  let sent = 0;
  child.on("message", ({ number, result, error }) => {
    const { resolve, reject } = pending.get(number) ?? {};
    pending.delete(number);
    if (error === undefined) resolve?.(result);
    else reject(new Error(`${file}: ${error}`));
  });
  const ended = once(child, "exit").then(() => {
    for (const { reject } of pending.values()) reject(new Error(`a process of ${file} ended`));
  });
  await once(child, "message");
  return {
    pid: child.pid,
    ended,
    ask: (command, place, order = {}) =>
      new Promise((resolve, reject) => {
        const number = sent++;
        pending.set(number, { resolve, reject });
        child.send({ number, command, place, ...order });
      }),
    kill() {
      child.kill("SIGKILL");
      return ended;
    },
  };
}
