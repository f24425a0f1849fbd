import { LatchkeyError } from "../errors/latchkey-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import type { MachineLocation } from "../valkey/keys.js";
import { readServerTime, type ServerTime } from "../valkey/server-clock.js";
import { DueWalk, type Progress } from "./due-walk.js";
import { DamagedPartError, SweepAsk } from "./expire-batch.js";
import { Audit } from "./index-walk.js";
import { partsOf, type SweepPart, sweepOf } from "./partition.js";
import type { SweepTally } from "./tally.js";

/** One step of something. */
export type Turn = () => Promise<Progress>;

/** What is remembered of one machine between two rounds. */
export class MachineSweep {
  readonly #parts: readonly PartSweep[];
  #audited = 0;

  constructor(connection: Connection, location: MachineLocation, batch: number, tally: SweepTally) {
    this.#parts = partsOf(connection, location).map((part) => new PartSweep(part, batch, tally));
  }

  /** Up to the end of what has come due. */
  walks(): Turn[] {
    return this.#parts.map((part) => () => part.walk());
  }

  /** Those that are stuck, once more. */
  again(): Turn[] {
    return this.#parts.flatMap((part) => [() => part.again(), () => part.recheck()]);
  }

  /** One step through the index of one partition, by turns; through all of them where `isWhole`. */
  audits(isWhole: boolean): Turn[] {
    if (isWhole) return this.#parts.map((part) => () => part.audit());
    return [
      async () => {
        const part = this.#parts[this.#audited % this.#parts.length];
        if ((await part?.audit()) !== "more") this.#audited += 1;
        return "end";
      },
    ];
  }
}

/** And of one of its partitions. What is damaged there is told, and holds up nothing else. */
class PartSweep {
  readonly #part: SweepPart;
  readonly #batch: number;
  readonly #tally: SweepTally;
  readonly #asker: SweepAsk;
  readonly #walk: DueWalk;
  readonly #audit: Audit;

  constructor(part: SweepPart, batch: number, tally: SweepTally) {
    this.#part = part;
    this.#batch = batch;
    this.#tally = tally;
    this.#asker = new SweepAsk(part, tally);
    this.#walk = new DueWalk(this.#asker, batch);
    this.#audit = new Audit(this.#asker);
  }

  walk(): Promise<Progress> {
    return this.#guarded(async () => this.#walk.step(await this.#now()));
  }

  again(): Promise<Progress> {
    return this.#guarded(() => this.#walk.again());
  }

  audit(): Promise<Progress> {
    return this.#guarded(async () => this.#audit.step((await this.#now()).nowMs, this.#tally));
  }

  /** Looks whether what is known as stuck still is: what the walk does not come to. */
  recheck(): Promise<Progress> {
    return this.#guarded(async () => {
      const { connection, keys } = this.#part;
      const open = this.#asker.open.slice(0, this.#batch);
      if (open.length > 0) {
        const { away } = await this.#asker.ask(open, keys.due);
        if (away !== undefined) throw away;
      }
      const shared: readonly string[] = Object.values(keys);
      const held = this.#tally.heldAt(keys.due);
      if (held.some((name) => shared.includes(name)) && (await this.#asker.examine())) return "end";
      const ids = held
        .filter((name) => !shared.includes(name) && !name.includes("\uFFFD"))
        .slice(0, this.#batch);
      if (ids.length === 0) return "end";
      const [due, index] = await ask(connection, sweepOf(this.#part), (client) =>
        Promise.all([client.zmscore(keys.due, ...ids), client.zmscore(keys.index, ...ids)]),
      );
      const nowMs = this.#asker.sinceMs;
      const elsewhere = ids.filter((_, at) => {
        const [score, location] = [due[at] ?? null, index[at] ?? null];
        return score === null ? location !== null : Number(score) > nowMs;
      });
      for (const [at, id] of ids.entries()) {
        if (due[at] == null && index[at] == null) this.#asker.free(id);
        else this.#tally.putLast(keys.due, id);
      }
      if (elsewhere.length === 0) return "end";
      const { away } = await this.#asker.ask(elsewhere, keys.index);
      if (away !== undefined) throw away;
      return "end";
    });
  }

  async #guarded(turn: Turn): Promise<Progress> {
    try {
      return await turn();
    } catch (error) {
      if (error instanceof DamagedPartError) return "end";
      const isAway = error instanceof NotExecutedError && error.reply !== "WRONGTYPE";
      if (isAway || !(error instanceof LatchkeyError)) throw error;
      await this.#asker.examine(); // where it finds nothing, that was mended meanwhile
      return "end";
    }
  }

  async #now(): Promise<ServerTime> {
    const time = await ask(this.#part.connection, sweepOf(this.#part), readServerTime);
    this.#asker.sinceMs = time.nowMs - time.errorMs;
    return time;
  }
}
