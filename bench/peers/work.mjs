// The measured work of one process: lives of agents, and races for the same agents.

const FILL_CALLERS = 64;

/**
 * Runs `work` as this many callers at once. Returns the latencies in ms of the calls that ended in time, the time in ms,
 * and the number of all calls with their CPU time in microseconds.
 */
async function measure(callers, ms, work) {
  const used = process.cpuUsage();
  const start = performance.now();
  const until = start + ms;
  const latencies = [];
  let calls = 0;
  const timed = async (call) => {
    const began = performance.now();
    const result = await call();
    const ended = performance.now();
    calls += 1;
    if (ended <= until) latencies.push(ended - began);
    return result;
  };
  const isTime = () => performance.now() < until;
  await Promise.all(Array.from({ length: callers }, (_, caller) => work(timed, isTime, caller)));
  const elapsed = Math.min(performance.now(), until) - start;
  const { user, system } = process.cpuUsage(used);
  return { latencies: Float32Array.from(latencies), elapsed, calls, cpu: user + system };
}

/** Lets each caller create agents one after the other: created, running, two patches, completed. */
export function life(side, { callers, ms, prefix }) {
  return measure(callers, ms, async (timed, isTime, caller) => {
    for (let n = 0; isTime(); n += 1) {
      await timed(() => side.create(`${prefix}-${caller}-${n}`));
      const id = await timed(() => side.run(`${prefix}-${caller}-${n}`));
      const patches = [await timed(() => side.patch(id, "progress", "50 %"))];
      patches.push(await timed(() => side.patch(id, "host", "node-17")));
      if (!(await timed(() => side.complete(id))) || patches.includes(false))
        throw new Error("a change of an agent that nobody else changes was rejected");
    }
  });
}

/**
 * Lets every caller try to move each agent to running, in the same order. Returns the ids that were won, too, and the
 * number of calls without an answer.
 */
export async function race(side, { callers, ms, ids }) {
  const won = [];
  let failed = 0;
  const run = (id) =>
    side.run(id).catch(() => {
      failed += 1;
      return null;
    });
  const measured = await measure(callers, ms, async (timed, isTime) => {
    for (const id of ids) {
      if (!isTime()) return;
      const winner = await timed(() => run(id));
      if (winner !== null) won.push(winner);
    }
  });
  return { ...measured, won, failed };
}

/** Prepares a side, and creates agents. */
export async function fill(side, { ids }) {
  await side.prepare?.();
  const queue = ids.values();
  await Promise.all(
    Array.from({ length: FILL_CALLERS }, async () => {
      for (const id of queue) await side.create(id);
    }),
  );
}
