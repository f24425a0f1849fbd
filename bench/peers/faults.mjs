// Lets several processes race for the same agents while connections are cut and processes are killed, and counts what
// each side gets wrong. All sides get the same kinds of faults at the same pace.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { findWrongs } from "./check.mjs";
import { LEASE_MS } from "./lease.mjs";
import { startReplica } from "./replicas.mjs";
import { load } from "./sides/index.mjs";

const BATCH = 20;
const CALLERS = 8;
/** At most this many cuts in a batch, with at most this time in ms between them. */
const CUTS = { most: 4, ms: 30 };
/** A process is killed in every second batch, in the middle of one of its first calls. */
const CRASHES = { every: 2, calls: 30 };
const SETTLE_MS = 500;
/** Time without an event after which no more are expected, of listeners that resume, and of others. */
const QUIET_MS = { resumed: 3_000, other: 500 };
const FINAL = ["completed", "killed", "failed"];

/** Returns numbers from 0 to 1 that depend on the seed alone. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Runs one side under faults, and returns the counts. */
export async function runFaults(file, { place, cuttable, proxy }, { agents, processes, seed }) {
  const side = await load(file);
  const folder = mkdtempSync(join(tmpdir(), "latchkey-peers-"));
  const routes = [...cuttable.slice(0, processes), cuttable.at(-1)];
  const run = new FaultRun(file, { place, cuttable: routes, proxy, folder, next: random(seed) });
  try {
    return { name: side.name, ...(await run.run(side, agents)) };
  } finally {
    await run.stop();
    rmSync(folder, { recursive: true });
  }
}

class FaultRun {
  #file;
  #settings;
  #replicas = [];
  #stops = [];
  #cuts = 0;
  #kills = 0;

  constructor(file, settings) {
    this.#file = file;
    this.#settings = settings;
  }

  async run(side, entities) {
    const { place, cuttable, next } = this.#settings;
    const open = async (address) => {
      const opened = await side.open({ ...address, hasLeases: true });
      this.#stops.push(() => opened.close());
      return opened;
    };
    const clerk = await open(place.address);
    await clerk.prepare?.();
    const ids = Array.from({ length: entities }, (_, n) => `f${process.pid}-${n}`);
    const listen = async (opened) => {
      const events = [];
      const listener = await opened.listen((id, change) => events.push({ id, change }));
      this.#stops.push(() => listener.close());
      return events;
    };
    const published = await listen(await open(place.address));
    const received = await listen(await open(cuttable.at(-1).address));
    for (let i = 0; i < cuttable.length - 1; i += 1) await this.#start(i);
    for (let first = 0, batch = 1; first < entities; first += BATCH, batch += 1) {
      const chosen = ids.slice(first, first + BATCH);
      await Promise.all(chosen.map((id) => clerk.create(id)));
      const kill = batch % CRASHES.every === 1 ? Math.floor(next() * this.#replicas.length) : undefined;
      await this.#batch(chosen, kill);
    }
    const finals = await this.#settle(clerk, ids, side.recovers ? 3 * LEASE_MS : SETTLE_MS);
    const lines = readFileSync(join(this.#settings.folder, "calls"), "utf8").trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line));
    const quietMs = side.recovers ? QUIET_MS.resumed : QUIET_MS.other;
    let counts;
    // Events may arrive late on a busy machine.
    for (let length = -1; received.length + published.length > length && counts?.missed !== 0; ) {
      length = received.length + published.length;
      await pause(counts === undefined ? SETTLE_MS : quietMs);
      counts = findWrongs({ records, finals, published, received });
    }
    return { entities, cuts: this.#cuts, kills: this.#kills, ...counts };
  }

  async #start(i) {
    const replica = await startReplica(this.#file);
    this.#replicas[i] = replica;
    await this.#walk(i, []);
  }

  #walk(i, ids, crash) {
    const { cuttable, folder } = this.#settings;
    const order = { log: join(folder, "calls"), replica: i, callers: CALLERS, ids, crash };
    return this.#replicas[i].ask("walk", { ...cuttable[i].address, hasLeases: true }, order);
  }

  /** Lets all processes handle some agents under faults, and kills one of them if it is given. */
  async #batch(ids, kill) {
    const { next } = this.#settings;
    const done = new AbortController();
    const cutting = this.#cut(done.signal);
    const crash = 1 + Math.floor(next() * CRASHES.calls);
    const walks = this.#replicas.map((_, i) =>
      this.#walk(i, ids, i === kill ? crash : undefined).catch((error) => {
        if (i !== kill) throw error;
      }),
    );
    await Promise.all(walks);
    done.abort();
    await cutting;
    if (kill === undefined) return;
    await this.#replicas[kill].kill();
    this.#kills += 1;
    await this.#start(kill);
  }

  async #cut(signal) {
    const { cuttable, next, proxy } = this.#settings;
    const server = this.#file === "postgres" ? "postgres" : "valkey";
    for (let n = 0; n < CUTS.most; n += 1) {
      await pause(next() * CUTS.ms, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const { routes } = cuttable[Math.floor(next() * cuttable.length)];
      const cut = await proxy.cut(routes[server], next() < 0.6);
      if (cut > 0) this.#cuts += 1;
    }
  }

  /** Without faults, lets the processes handle what nobody owns until all agents have ended, or for some time. */
  async #settle(clerk, ids, ms) {
    const until = Date.now() + ms;
    for (;;) {
      const finals = new Map();
      for (const id of ids) finals.set(id, await clerk.read(id));
      const idle = ids.filter((id) => finals.get(id).state === "spawning");
      const hasEnded = ids.every((id) => FINAL.includes(finals.get(id).state));
      if (hasEnded || Date.now() > until) return finals;
      await Promise.all(this.#replicas.map((_, i) => this.#walk(i, idle)));
      await pause(100);
    }
  }

  async stop() {
    for (const stop of this.#stops.reverse()) await stop();
    await Promise.all(this.#replicas.map((replica) => replica.kill()));
  }
}
