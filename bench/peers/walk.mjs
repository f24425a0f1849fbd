// The work of one process under faults. All processes race for the same agents. Each call and its answer are written to
// a file at once, so that they survive when the process is killed.
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 5_000;
const PAUSE_MS = 10;
/** Every so manieth agent is killed by a process that is not its owner. */
const KILLED = 4;

let number = 0;

/** Repeats a call until it has an answer, and records both. Returns undefined if there is no answer in time. */
async function attempt({ file, side, crash }, record, call) {
  const name = `${process.pid}-${number++}`;
  if (number === crash) setTimeout(() => process.kill(process.pid, "SIGKILL"), 1);
  const write = (entry) => writeSync(file, `${JSON.stringify(entry)}\n`);
  write({ name, ...record });
  const key = randomUUID();
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    const late = pause(PATIENCE_MS, undefined, { ref: false });
    try {
      const answer = await Promise.race([call(key), late]);
      if (answer === undefined) break;
      write({ name, answer });
      return answer;
    } catch (error) {
      if (side.mayRepeat?.(error) === false) break;
      await pause(PAUSE_MS);
    }
  }
  return undefined;
}

/** Tries to become the owner of an agent. The owner patches and completes it; the others patch it, or kill it. */
async function handle(run, id) {
  const { side, onlyOwner, replica } = run;
  const patch = (agent, field) => {
    const record = { id: agent, what: "patch", field, value: `${process.pid}-${number}` };
    return attempt(run, record, (key) => side.patch(agent, field, record.value, key));
  };
  const owned = await attempt(run, { id, what: "run" }, (key) => side.run(id, key));
  if (owned) {
    await patch(owned, `note${process.pid}a`);
    await patch(owned, `note${process.pid}b`);
    await attempt(run, { id: owned, what: "complete" }, (key) => side.complete(owned, key));
  } else if (!onlyOwner) {
    await patch(id, `note${process.pid}`);
    if (Number(id.split("-").at(-1)) % KILLED === replica)
      await attempt(run, { id, what: "kill" }, (key) => side.kill(id, key));
  }
}

/**
 * Handles agents in their order, several at once. With `crash`, the process kills itself in the middle of that call,
 * counted from the first call of this order.
 */
export async function walk(opened, { callers, ids, crash, ...order }) {
  const run = { ...opened, ...order, ...(crash !== undefined && { crash: number + crash }) };
  const queue = ids.values();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (const id of queue) await handle(run, id);
    }),
  );
}
