/** Takes turns: calls `work` with 0 to `calls` - 1, from `inFlight` callers at once. */
export async function each(calls, inFlight, work) {
  let next = 0;
  const caller = async () => {
    for (let n = next++; n < calls; n = next++) await work(n);
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
}

/** Makes the works that are measured. Each returns the number of its units. */
export function works({ calls, inFlight, entities }) {
  return {
    /** Changes of all entities, again and again. */
    change: async ({ jobs, turn }) => {
      const passes = Math.ceil(calls / entities);
      for (let pass = 0; pass < passes; pass += 1) {
        turn.state = turn.state === "b" ? "a" : "b";
        await each(entities, inFlight, (n) => jobs.transition(`j${n}`, turn.state));
      }
      return passes * entities;
    },
    get: async ({ jobs }) => {
      await each(calls, inFlight, (n) => jobs.get(`j${n % entities}`));
      return calls;
    },
    "page of 100": async ({ jobs }) => {
      const pages = 20;
      for (let page = 0; page < pages; page += 1) await jobs.listPage({ limit: 100 });
      return pages;
    },
    count: async ({ jobs }) => {
      const counts = 20;
      for (let n = 0; n < counts; n += 1) await jobs.count();
      return counts;
    },
    "list, per entity": async ({ jobs }) => {
      let listed = 0;
      for await (const _ of jobs.list()) listed += 1;
      if (listed !== entities) throw new Error(`${listed} of ${entities} entities were listed`);
      return listed;
    },
    "events, per event": async ({ jobs }) => {
      let read = 0;
      for await (const _ of jobs.events({ after: "start", follow: false })) read += 1;
      return read;
    },
    "idle reader of events, per second": ({ jobs }) => idle((signal) => readOn(jobs, signal)),
    "idle sweeper, per second": ({ jobs }) => idle((signal) => jobs.sweep({ signal })),
  };
}

async function readOn(jobs, signal) {
  for await (const _ of jobs.events({ signal }));
}

const IDLE_S = 3;

/** Lets something wait for work that does not come. Returns the seconds. */
async function idle(wait) {
  const stop = new AbortController();
  const waiting = wait(stop.signal);
  await new Promise((resolve) => setTimeout(resolve, IDLE_S * 1000));
  stop.abort();
  await waiting;
  return IDLE_S;
}
