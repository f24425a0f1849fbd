// Checks that no script blocks the server while the events of a dead replica of a reaction are reassigned:
// `npm run bench:takeover`, after `npm run build`.
//
//   node bench/takeover.mjs [--events N] [--json] [--check]
//
// It starts its own server. A dead replica leaves N unfinished events, and another one gets and handles each: the real
// scripts, one call after the other. The time of a call is the CPU time of the server's main thread, read before
// and after it, so that other programs on the computer do not count. --check fails if a call takes longer than 10 ms.
import { parseArgs } from "node:util";
import { Valkey } from "iovalkey";
import { built } from "./program.mjs";

const LONGEST_US = 10_000;
const IN_FLIGHT = 200;
const TAKE = { takeOverMs: 600_000, delayMs: 0, types: [] };
const MACHINE = {
  name: "job",
  version: 1,
  initial: "open",
  states: { open: {} },
  events: { keep: 1_000_000 },
};

/** Makes the events of the dead replica. */
const SCENARIOS = {
  "each of an entity of its own": { entities: (events) => events, deliver: takeAll },
  "of 100 entities": { entities: () => 100, deliver: takeAll },
  "of one entity": { entities: () => 1, deliver: takeAll },
  "delivered, and their assignments lost in a failover": { entities: (events) => events, deliver: readAll },
};

/** Calls `work` with the numbers from `from` to `to`, some at a time. */
async function each(from, to, work) {
  let next = from;
  const caller = async () => {
    for (let n = next++; n < to; n = next++) await work(n);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
}

/** Makes entities with `events` changes in all. */
async function change(jobs, entities, events) {
  await each(0, entities, (n) => jobs.create(`j${n}`));
  await each(entities, events, (n) => jobs.patch(`j${n % entities}`, { set: { n } }));
}

/** The dead replica has taken its events as replicas do. */
async function takeAll({ dead }) {
  for (;;) {
    const { deliveries, hasMore } = await dead.take({ ...TAKE, count: 50 });
    if (deliveries.length === 0 && !hasMore) return;
  }
}

/** The dead replica has read its events, and the server knows no assignment of them. */
async function readAll({ client, dead, events }) {
  await dead.join(TAKE);
  await client.xreadgroup("GROUP", "r", "dead", "COUNT", events, "STREAMS", dead.keys.events, ">");
}

/** Measures calls by the CPU time of the server's main thread, in µs. */
class Meter {
  calls = new Map();
  #client;
  #own = 0;

  constructor(client) {
    this.#client = client;
  }

  async #cpu() {
    const info = await this.#client.info("cpu");
    const part = (name) => Number(new RegExp(`${name}_main_thread:([\\d.]+)`).exec(info)?.[1]) * 1e6;
    return part("used_cpu_sys") + part("used_cpu_user");
  }

  /** Measures what the measurement itself takes. */
  async begin() {
    for (let n = 0; n < 200; n += 1) await this.run("nothing", async () => {});
    const costs = this.calls.get("nothing").sort((a, b) => a - b);
    this.#own = costs[costs.length >> 1];
    this.calls.clear();
  }

  async run(name, work) {
    const before = await this.#cpu();
    const result = await work();
    const time = (await this.#cpu()) - before - this.#own;
    const times = this.calls.get(name) ?? [];
    times.push(Math.max(0, time));
    this.calls.set(name, times);
    return result;
  }

  rows() {
    return [...this.calls].map(([script, times]) => ({
      script,
      calls: times.length,
      mean: times.reduce((sum, time) => sum + time, 0) / times.length,
      longest: times.reduce((most, time) => Math.max(most, time), 0),
    }));
  }
}

/** Every call of `take` is measured, and of the others one of this number. */
const SAMPLE = 20;

/** Gets all events of the dead replica, and handles them. Returns their number. */
async function takeOver(live, meter) {
  const direct = { run: (_, work) => work() };
  let handled = 0;
  for (let isEnd = false; !isEnd; ) {
    const { deliveries, hasMore } = await meter.run("take", () => live.take({ ...TAKE, count: 50 }));
    isEnd = deliveries.length === 0 && !hasMore;
    const [first, ...rest] = deliveries;
    if (first === undefined) continue;
    handled += await handle(live, first, (n) => (n % SAMPLE === 0 ? meter : direct)); // alone, so that it can be measured
    const counts = await Promise.all(rest.map((delivery) => handle(live, delivery, () => direct)));
    handled = counts.reduce((sum, count) => sum + count, handled);
  }
  return handled;
}

/** Handles an event, and those of its entity that wait behind it. Returns their number. */
async function handle(live, delivery, meterOf) {
  let handled = 0;
  for (let event = delivery; event !== null; handled += 1) {
    const meter = meterOf(handled);
    const begun = live.nextCall();
    const start = await meter.run("begin", () => live.begin(event, begun, 10, false));
    if (start === undefined) throw new Error("An event was reassigned");
    if (handled % (5 * SAMPLE) === 0)
      await meter.run("pause", () => live.pause(event, begun, live.nextCall(), "failed"));
    const finish = () => live.finish(event, begun, live.nextCall(), { how: "done" });
    event = await meter.run("finish", finish);
    if (event === undefined) throw new Error("An event was reassigned");
  }
  return handled;
}

async function measure(scenario, events) {
  const [{ connect }, { startValkey }, { openConnection }, { ReactionGroup }] = await built(
    "index",
    "testing/index",
    "valkey/open-connection",
    "reactions/group",
  );
  const server = await startValkey({ onNotice: (line) => console.error(line) });
  const client = new Valkey(server.url.replace(/^valkey:/, "redis:"));
  const latchkey = await connect({ url: server.url, timeout: "1m" });
  const connection = await openConnection({ url: server.url, timeout: "1m" });
  try {
    const jobs = await latchkey.machine(MACHINE);
    await change(jobs, scenario.entities(events), events);
    const location = { namespace: latchkey.namespace, partitions: 1, machine: MACHINE.name };
    const [dead, live] = ["dead", "live"].map(
      (name) => new ReactionGroup(connection, location, 0, "r", name),
    );
    await dead.create("start");
    await scenario.deliver({ client, dead, events });
    await live.join(TAKE);
    await client.zadd(dead.keys.lastSeen, 0, "dead");
    await client.config("SET", "slowlog-log-slower-than", LONGEST_US, "slowlog-max-len", events);
    const [pending] = await client.xpending(dead.keys.events, "r");
    const meter = new Meter(client);
    await meter.begin();
    const handled = await takeOver(live, meter);
    if (pending !== events || handled !== events)
      throw new Error(`${handled} of ${pending} of ${events} events were handled`);
    return { rows: meter.rows(), slow: await client.slowlog("LEN") };
  } finally {
    await Promise.all([connection.close(), latchkey.close()]);
    client.disconnect();
    await server.stop();
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      events: { type: "string", default: "100000" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
    },
  });
  if (!/^[1-9]\d{2,6}$/.test(values.events))
    throw new Error("--events takes a whole number from 100 to 9999999.");
  const events = Number(values.events);
  const results = [];
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    const { rows, slow } = await measure(scenario, events);
    results.push({ events, scenario: name, slow, rows });
    if (values.json) continue;
    console.log(`\n${events} unfinished events, ${name}; slower than 10 ms by the wall clock: ${slow}`);
    console.log("script      calls   mean µs   longest µs");
    for (const { script, calls, mean, longest } of rows) {
      const cells = [
        String(calls).padStart(8),
        mean.toFixed(0).padStart(10),
        longest.toFixed(0).padStart(13),
      ];
      console.log(`${script.padEnd(8)}${cells.join("")}`);
    }
  }
  if (values.json) console.log(JSON.stringify(results, null, 2));
  const longest = Math.max(...results.flatMap(({ rows }) => rows.map((row) => row.longest)));
  if (values.check && longest > LONGEST_US) throw new Error(`a call took ${(longest / 1000).toFixed(1)} ms`);
}

main().catch((error) => {
  console.error(`bench:takeover: ${error.message}`);
  process.exit(1); // a client of a server that has ended connects again and again
});
