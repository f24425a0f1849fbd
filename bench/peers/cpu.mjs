// CPU time of server processes, from /proc. It is unknown on systems without /proc.
import { readdirSync, readFileSync } from "node:fs";

/** Returns the CPU time in microseconds that a process and its children have used; undefined if it is unknown. */
export function cpuOf(pid) {
  try {
    const pids = [pid, ...childrenOf(pid)];
    return pids.flatMap(threadsOf).reduce((sum, time) => sum + time, 0) / 1_000;
  } catch {
    return undefined;
  }
}

/** Returns the CPU time in nanoseconds of each thread. */
function threadsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
    );
  } catch {
    return []; // it has ended
  }
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
}
