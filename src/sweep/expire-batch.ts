import { checkId } from "../contract/arguments.js";
import type { NotExecutedError } from "../errors/outcome-errors.js";
import { partitionOf } from "../valkey/partition.js";
import { damageOf, damageOfEntity } from "./damage.js";
import { type Expiry, expire } from "./expire.js";
import { lostChanges } from "./lost-answers.js";
import { mending, type SweepPart } from "./partition.js";
import type { SweepTally } from "./tally.js";

/** What came of one that was asked for: it fired, is gone, has its place put right, can't fire, or was not answered for. */
export type Came = "fired" | "gone" | "right" | "stuck" | "away";

/** A partition in which nothing can fire, which was told. */
export class DamagedPartError extends Error {
  override readonly name = "DamagedPartError";
}

/** Asks for the entities of one partition whether something has run out, and tells what came of it. */
export class SweepAsk {
  readonly part: SweepPart;
  /** A server time before all that is asked from now on. */
  sinceMs = 0;
  readonly #tally: SweepTally;
  /** Those whose answers are lost, with the server time before they were asked for. */
  readonly #open = new Map<string, number>();

  constructor(part: SweepPart, tally: SweepTally) {
    this.part = part;
    this.#tally = tally;
  }

  /** Those whose answers are lost still: to be asked for again. */
  get open(): readonly string[] {
    return [...this.#open.keys()];
  }

  /**
   * Asks for some at once. However one of them ends, the others are asked for as well.
   *
   * @param key where they stand
   * @returns what came of each, in their order, and why some were not answered for
   * @throws DamagedPartError where none can fire.
   */
  async ask(
    ids: readonly string[],
    key: string,
  ): Promise<{ readonly came: readonly Came[]; readonly away: NotExecutedError | undefined }> {
    const expiries = await Promise.all(
      ids.map(async (id) => {
        const why = this.#misfit(id, key);
        return why === undefined
          ? expire(this.part, id, this.#open.has(id))
          : { outcome: "MISFIT" as const, why };
      }),
    );
    const isSuspect = expiries.some(
      (expiry) =>
        expiry.outcome === "DAMAGED" && (expiry.code === "WRONGTYPE" || expiry.code === "NOMACHINE"),
    );
    for (const [at, id] of ids.entries()) {
      const expiry = expiries[at];
      if (expiry !== undefined && "isUnsure" in expiry && expiry.isUnsure && !this.#open.has(id))
        this.#open.set(id, this.sinceMs);
    }
    const isDamaged = isSuspect && (await this.examine());
    const came: Came[] = [];
    for (const [at, id] of ids.entries()) {
      const expiry = expiries[at];
      if (expiry === undefined) continue;
      if (expiry.outcome === "MISFIT") came.push(this.#stuck(id, expiry.why));
      // A machine that was gone and is there by now was applied again meanwhile: to be asked for once more.
      else if (expiry.outcome === "DAMAGED" && (isDamaged || expiry.code === "NOMACHINE")) came.push("away");
      else came.push(await this.#told(id, expiry));
    }
    const away = expiries.find((expiry) => expiry.outcome === "AWAY");
    if (away === undefined) await this.#tellLost(ids, came);
    if (isDamaged) throw new DamagedPartError("a key of this partition is damaged");
    return { came, away: away?.outcome === "AWAY" ? away.error : undefined };
  }

  /**
   * Looks at what all entities of the partition share, and tells what is wrong with it.
   *
   * @returns whether nothing can fire
   */
  async examine(): Promise<boolean> {
    const { keys, location } = this.part;
    const found = await damageOf(this.part);
    for (const key of [keys.machine, keys.index, keys.due, keys.events]) {
      const damage = found.get(key);
      if (damage === undefined) this.#tally.free(keys.due, key);
      else this.#tally.stuck(keys.due, key, { machine: location.machine, id: "", why: damage.why });
    }
    return [...found.values()].some(({ isTotal }) => isTotal);
  }

  /** It is stuck no more, or gone. */
  free(name: string): void {
    this.#tally.free(this.part.keys.due, name);
  }

  async #told(id: string, expiry: Expiry): Promise<Came> {
    const { location, keys } = this.part;
    switch (expiry.outcome) {
      case "AWAY":
        return "away";
      case "DENIED":
        this.#tally.denied(keys.due, id, expiry.error);
        return "stuck";
      case "DAMAGED":
        return this.#stuck(id, await this.#why(id, expiry));
      case "MISSING":
        return this.#stuck(
          id,
          `it is ${expiry.state}, and where its timer leads a stamp is required that was never set`,
        );
      default:
        this.free(id);
    }
    if (expiry.outcome !== "OK") return expiry.outcome === "NOTFOUND" ? "gone" : "right";
    this.#open.delete(id);
    this.#tally.changed(location.machine, id, expiry.text);
    return "fired";
  }

  /** Tells what fired although the answer was lost, now that the server has said that there is nothing more to fire. */
  async #tellLost(ids: readonly string[], came: Came[]): Promise<void> {
    const { connection, location } = this.part;
    const open = new Map([...this.#open].filter(([id]) => ids.includes(id)));
    if (open.size === 0) return;
    const { found, isWhole } = await lostChanges(this.part, open);
    for (const id of open.keys()) {
      const text = found.get(id);
      this.#open.delete(id);
      if (text !== undefined) {
        this.#tally.changed(location.machine, id, text, true);
        came[ids.indexOf(id)] = "fired";
      } else if (!isWhole) {
        const fields = { machine: location.machine, id };
        connection.logger.warn(fields, "may have run out: the answer was lost, and the logs do not tell");
      }
    }
  }

  #stuck(id: string, why: string): Came {
    const { location, keys } = this.part;
    this.#tally.stuck(keys.due, id, { machine: location.machine, id, why });
    return "stuck";
  }

  /** Why something can't be an entity of this partition; undefined where it can. */
  #misfit(id: string, key: string): string | undefined {
    const { location, partition } = this.part;
    try {
      checkId("id", id, 128);
    } catch {
      const cure = id.includes("\uFFFD")
        ? "find it with valkey-cli and take it away"
        : `${mending(this.part)} takes it away`;
      return `it is no id, but stands in ${key}: something other than latchkey wrote it; ${cure}`;
    }
    const home = partitionOf(id, location.partitions);
    if (home === partition) return undefined;
    return `it stands in ${key}, but belongs to partition ${home}; ${mending(this.part)} takes it away`;
  }

  async #why(id: string, { code, why }: Expiry & { outcome: "DAMAGED" }): Promise<string> {
    const wrong = code === "WRONGTYPE" ? await damageOfEntity(this.part, id) : undefined;
    return wrong ?? `${why}; ${mending(this.part)} tells what is wrong, and mends what it can`;
  }
}
