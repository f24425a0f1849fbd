import type { Valkey } from "iovalkey";
import { isId } from "../contract/arguments.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { entityKeys, type MachineLocation, type PartitionKeys, partitionKeys } from "../valkey/keys.js";
import { partitionOf } from "../valkey/partition.js";
import { callUntilAnswered } from "../valkey/script-call.js";

/** The result of one EXPIRE call. */
export type ExpiryResult =
  /** A timer fired. `text` is the document of the change. */
  | { readonly outcome: "fired"; readonly text: string }
  /** No timer has expired, or another sweeper fired it. The server has corrected the entity's entry in `due`. */
  | { readonly outcome: "notDue" }
  /** The entity does not exist. The server has removed its entry from `due`. */
  | { readonly outcome: "gone" }
  /** The timer cannot fire, and another attempt does not help. */
  | { readonly outcome: "stuck"; readonly why: string }
  /** The user lacks a permission that this change needs. */
  | { readonly outcome: "denied"; readonly rejection: NotExecutedError };

/** Error replies of an EXPIRE call if the keys of its entity are damaged. */
const DAMAGE: ReadonlySet<string> = new Set(["WRONGTYPE", "ERR", "LAYOUT", "BADARG"]);

/** One partition of a machine, and the connection to it. */
export class SweepPartition {
  readonly connection: Connection;
  readonly location: MachineLocation;
  readonly partition: number;
  readonly keys: PartitionKeys;

  constructor(connection: Connection, location: MachineLocation, partition: number) {
    this.location = location;
    this.partition = partition;
    this.keys = partitionKeys(location, partition);
    this.connection = connection.of(this.keys.due);
  }

  /** Asks the server a question. @throws NotExecutedError if there is no reply, or an error */
  ask<T>(question: (client: Valkey) => Promise<T>): Promise<T> {
    return ask(this.connection, `sweep ${this.location.machine}`, question);
  }

  /**
   * Fires the timer of an entity if it has expired by the server's clock. Otherwise corrects the entity's entry in
   * `due`.
   *
   * @throws NotExecutedError if it was not executed for a reason that is not about this entity; LatchkeyError with code
   * UNKNOWN if the reply was lost: the timer may have fired
   */
  async expire(id: string): Promise<ExpiryResult> {
    const { connection, location } = this;
    const repair = `to fix it, run ${this.repairCommand}`;
    // Something other than latchkey may have written the id.
    if (!isId(id) || partitionOf(id, location.partitions) !== this.partition)
      return { outcome: "stuck", why: `not an id of this partition; ${repair}` };
    try {
      const { outcome, text } = await callUntilAnswered(connection, {
        name: `expire ${location.machine} ${id}`,
        script: scripts.expire,
        keys: entityKeys(location, id),
        words: [id],
        timeoutMs: connection.timeoutMs,
        notAfter: null,
        effect: "its timer may have fired",
      });
      if (outcome === "OK" && text !== null) return { outcome: "fired", text };
      if (outcome === "NOTDUE") return { outcome: "notDue" };
      if (outcome === "NOTFOUND") return { outcome: "gone" };
      if (outcome === "MISSING") {
        return { outcome: "stuck", why: MISSING_STAMP };
      }
      throw new LatchkeyError("PROTOCOL", `unknown outcome ${outcome}`);
    } catch (error) {
      if (!(error instanceof LatchkeyError) || error.code === "UNKNOWN") throw error;
      if (error instanceof NotExecutedError) {
        if (error.reply === "NOPERM") return { outcome: "denied", rejection: error };
        if (!DAMAGE.has(error.reply)) throw error;
      }
      return { outcome: "stuck", why: `its data is damaged (${failureCode(error)}); ${repair}` };
    }
  }

  /** The command that explains and repairs damage of the machine's data. */
  get repairCommand(): string {
    const { machine, namespace } = this.location;
    return `latchkey fsck --repair -m ${machine}${namespace === "latchkey" ? "" : ` --namespace ${namespace}`}`;
  }
}

/** Explains a timer that cannot fire, and how to repair it. */
export const MISSING_STAMP =
  "the state that its timer leads to requires a stamp that was never set; apply a newer version of the machine";

/** Returns the code of the server's error reply, or else the one of the error; empty for an unknown error. */
export function failureCode(error: unknown): string {
  if (error instanceof NotExecutedError) return error.reply;
  return error instanceof LatchkeyError ? error.code : "";
}

/** Returns whether an error says that the server did not answer, or rejected a call for a reason that may pass. */
export function isUnanswered(error: unknown): error is LatchkeyError {
  return error instanceof NotExecutedError || (error instanceof LatchkeyError && error.code === "UNKNOWN");
}

/** Lists all partitions of a machine. */
export function partitionsOf(connection: Connection, location: MachineLocation): SweepPartition[] {
  return Array.from(
    { length: location.partitions },
    (_, partition) => new SweepPartition(connection, location, partition),
  );
}
