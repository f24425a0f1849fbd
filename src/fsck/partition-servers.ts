import type { Valkey } from "iovalkey";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { ask, isUnreachable } from "../valkey/ask.js";
import { slotOf } from "../valkey/cluster/slots.js";
import type { Connection } from "../valkey/connection.js";
import type { Finding } from "./finding.js";
import type { Partition } from "./partition.js";

/** Error replies of a slot that moves to another node of a cluster. */
const MOVES = ["MOVED", "ASK", "TRYAGAIN"];

/** Asks the servers of partitions. A server of a cluster that is unreachable is waited for once, for the timeout of a call. */
export class PartitionServers {
  readonly #connection: Connection;
  readonly #question: string;
  readonly #away = new Map<string, NotExecutedError>();

  /** @param question name of all questions, for errors */
  constructor(connection: Connection, question: string) {
    this.#connection = connection;
    this.#question = question;
  }

  /** Asks the server that holds a key. @throws what `ask` throws; for an unreachable server the same error at once */
  async ask<T>(key: string, question: (client: Valkey) => Promise<T>): Promise<T> {
    const server = this.#connection.of(key);
    const known = this.#away.get(server.address);
    if (known !== undefined) throw known;
    try {
      return await ask(server, this.#question, question);
    } catch (error) {
      if (this.isAway(error)) this.#away.set(server.address, error);
      throw error;
    }
  }

  /** Returns true if the server that holds a key was unreachable, and is not asked any more. */
  isLost(key: string): boolean {
    return this.#away.has(this.#connection.of(key).address);
  }

  /** Returns true for an error of a server of a cluster that is unreachable or out of service: the other servers may reply. */
  isAway(error: unknown): error is NotExecutedError {
    return this.#connection.isCluster && isUnreachable(error) && !isMove(error);
  }

  /** Returns true for an error that prevents the check of a partition, but not that of others. */
  isOfPartition(error: unknown): error is NotExecutedError {
    return error instanceof NotExecutedError && (isMove(error) || this.isAway(error));
  }
}

/** Returns true for an error reply about a slot that is moving. */
function isMove({ reply }: NotExecutedError): boolean {
  return MOVES.includes(reply);
}

/** Reports a partition that was not checked, because its slot is moving or its server is unreachable. */
export function skippedPartition(partition: Partition, error: NotExecutedError): Finding {
  const { number, keys } = partition;
  const slot = slotOf(keys.machine);
  // The error may be that of another partition of the same server.
  const cause = isMove(error)
    ? `its slot ${slot} is moving to another node (${error.reply})`
    : error.message.replace(/^.*? was (?:not answered|rejected): /, "").replace(/slot \d+/, `slot ${slot}`);
  const why = isMove(error)
    ? "run fsck again after the move; if it stopped halfway, latchkey doctor prints the fix"
    : "latchkey doctor prints the fix; then run fsck again";
  return unchecked(partition, `partition ${number} was not checked: ${cause}`, why);
}

/** Reports a check that was not possible. */
export function unchecked({ number, keys }: Partition, message: string, why: string): Finding {
  const result = "unchecked";
  return { kind: result, id: "", partition: number, key: keys.machine, message, result, why };
}
