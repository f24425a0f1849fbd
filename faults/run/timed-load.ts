import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type Latchkey } from "latchkey";
import { TimedFleet } from "../fleet/timed-fleet.js";
import { readHistory } from "../history/reader.js";
import type { RunRecord } from "../history/records.js";
import { HistoryWriter, monotonicMs } from "../history/writer.js";
import type { MachineKeys } from "../machines/keys.js";
import { DEAD_LETTER_AFTER, REACTION, shift } from "../machines/shift.js";
import { type CheckedData, type FsckVerdict, fsck, repairDates } from "../servers/latchkey-command.js";
import type { Servers } from "../servers/servers.js";
import { writeFinalState } from "./final-state.js";
import type { InjectionResult } from "./injections.js";
import { LogTrimmer } from "./log-trimmer.js";
import { clocksOf, installed, lossOf } from "./write-history.js";

const CLOCK_EVERY_MS = 100;
/** Timers that are due this long after the end of the load must still fire. */
const AHEAD_MS = 3_000;
/** Longest time for sweepers to fire what is due, and for reactions to handle what is logged. */
const [SWEEPING_MS, REACTING_MS] = [30_000, 90_000];
const LOOK_MS = 100;
/** Attempts to read the list of stuck entities. A timer that is just due appears on it too. */
const STUCK_LISTS = 10;

/** Configures the timed clients of a run. */
export interface TimedOptions {
  readonly seed: number;
  readonly url: string;
  readonly timeoutMs: number;
  readonly folder: string;
  readonly servers: Servers;
  readonly keys: MachineKeys;
  readonly onProblem: (text: string) => void;
}

/** Holds the parts of the history of the timed clients. */
export interface TimedParts {
  readonly path: string;
  readonly run: Pick<RunRecord, "seed" | "topology" | "command" | "startedAt">;
  readonly injected: readonly InjectionResult[];
  /** The runner's history, with the begin and the end of each fault. */
  readonly faults: string;
}

/** Runs holders, sweepers and replicas of a reaction in their own namespace, under the same faults as the callers. */
export class TimedLoad {
  readonly fleet: TimedFleet;
  /** Records copies of the timed clients' requests. */
  readonly copies: HistoryWriter;
  readonly #servers: Servers;
  readonly #keys: MachineKeys;
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  #least = Number.POSITIVE_INFINITY;
  #most = Number.NEGATIVE_INFINITY;

  private constructor(fleet: TimedFleet, { servers, keys, folder }: TimedOptions) {
    this.fleet = fleet;
    this.#servers = servers;
    this.#keys = keys;
    this.#folder = folder;
    this.copies = new HistoryWriter(this.#copiesFile);
    this.#readClock();
    this.#timer = setInterval(() => this.#readClock(), CLOCK_EVERY_MS);
  }

  static async start(options: TimedOptions): Promise<TimedLoad> {
    const { servers, keys, onProblem, ...common } = options;
    const { namespace } = keys;
    const latchkey = await connect({ url: servers.url, namespace });
    await latchkey.init(keys.partitions);
    await latchkey.apply(shift);
    await latchkey.close();
    const load = new TimedLoad(new TimedFleet({ ...common, namespace }, onProblem), options);
    await load.fleet.start();
    return load;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.fleet.killAll();
  }

  /** Waits until everything is finished: holders stop, due timers are fired, logged events are handled. */
  async finish(hasClocks: boolean): Promise<void> {
    const history = new HistoryWriter(this.#end);
    await this.fleet.finish("holder");
    // No program touches an entity that is dated ahead before its timer ends.
    if (hasClocks) await repairDates(this.#data);
    const { namespace } = this.#keys;
    const latchkey = await connect({ url: this.#servers.url, namespace });
    try {
      const untilMs = (await latchkey.serverTime()).nowMs + AHEAD_MS;
      await within(SWEEPING_MS, async () => {
        if ((await latchkey.serverTime()).nowMs < untilMs) return false;
        return (await this.#countDue(untilMs)) === 0;
      });
      const stuck = await stuckIds(latchkey);
      history.append({ kind: "swept", at: monotonicMs(), untilMs: Math.floor(untilMs), stuck });
      await this.fleet.finish("sweeper");
      const shifts = await latchkey.machine(shift);
      await within(REACTING_MS, async () => {
        const stats = (await shifts.reactions()).find(({ name }) => name === REACTION);
        return stats?.lag === 0 && stats.pending === 0;
      });
      await this.fleet.finish("reactor");
      for await (const { text, attempts: tries, error } of shifts.deadLetters(REACTION)) {
        history.append({ kind: "dead-letter", reaction: REACTION, document: text, tries, error });
      }
    } finally {
      await latchkey.close();
    }
    history.append({ kind: "clock", least: this.#least, most: this.#most });
    history.close();
  }

  /** Assembles the history. */
  async write({ path, run, injected, faults }: TimedParts): Promise<void> {
    const [servers, keys] = [this.#servers, this.#keys];
    const history = new HistoryWriter(path);
    history.append({
      kind: "run",
      format: 2,
      ...run,
      machines: [await installed(servers, keys, shift)],
      loss: lossOf(injected),
      clocks: clocksOf(injected),
      reactions: [{ name: REACTION, deadLetterAfter: DEAD_LETTER_AFTER }],
    });
    for await (const record of readHistory(faults)) {
      if (record.kind === "fault-begin" || record.kind === "fault-end") history.append(record);
    }
    this.copies.close();
    for (const file of [...this.fleet.files, this.#copiesFile, this.#end]) history.appendFile(file);
    await writeFinalState(servers, keys, history);
    await new LogTrimmer(keys).write(servers, history);
    history.append({ kind: "end", at: monotonicMs() });
    history.close();
  }

  async fsck(hasClocks: boolean): Promise<FsckVerdict> {
    return fsck(this.#data, hasClocks);
  }

  get #data(): CheckedData {
    const { namespace, machine } = this.#keys;
    return { url: this.#servers.url, namespace, machine };
  }

  /** Counts the timers that end by a server time in ms. */
  async #countDue(untilMs: number): Promise<number> {
    let count = 0;
    for (const prefix of this.#keys.prefixes) {
      const { admin } = await this.#servers.primary(prefix);
      count += await admin.zcount(`${prefix}due`, "-inf", untilMs);
    }
    return count;
  }

  get #end(): string {
    return join(this.#folder, "time-end.jsonl");
  }

  get #copiesFile(): string {
    return join(this.#folder, "time-copies.jsonl");
  }

  #readClock(): void {
    const ahead = Date.now() - monotonicMs();
    this.#least = Math.min(this.#least, ahead);
    this.#most = Math.max(this.#most, ahead);
  }
}

/** Returns the IDs that are on every list of stuck entities. */
async function stuckIds(latchkey: Latchkey): Promise<string[]> {
  const shifts = await latchkey.machine(shift);
  let stuck: Set<string> | undefined;
  for (let lists = 0; lists < STUCK_LISTS && stuck?.size !== 0; lists += 1) {
    const ids = new Set<string>();
    for await (const { id } of shifts.list({ stuck: true })) if (stuck?.has(id) !== false) ids.add(id);
    stuck = ids;
    if (ids.size > 0) await pause(LOOK_MS * 3);
  }
  return [...(stuck ?? [])];
}

async function within(ms: number, isSo: () => Promise<boolean>): Promise<void> {
  const end = monotonicMs() + ms;
  while (!(await isSo()) && monotonicMs() < end) await pause(LOOK_MS);
}
