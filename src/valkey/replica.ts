import type { RedisOptions, Valkey } from "iovalkey";
import type { ReplicaReads, Server, ToServer } from "./connection.js";
import { Deadline } from "./deadline.js";
import { isLoss, replyCode, safeMessage } from "./failure.js";
import type { Logger } from "./logger.js";
import { hangUp } from "./open-clients.js";
import { performance } from "./real-time.js";
import { checkReplica, replicaPlaces } from "./replica-places.js";

/** A replica is checked again before the first read after this time. */
const CHECK_MS = 1_000;
/** Pause between two searches for a replica. */
const SEARCH_PAUSE_MS = 1_000;
/** A replica that has been unreachable for this long is left. */
const PATIENCE_MS = 3_000;

/** Opens clients for the search for a replica. */
export interface ReplicaSource {
  /** Client of the primary. */
  readonly primary: Valkey;
  readonly logger: Logger;
  /** Opens a client of a replica with the settings of the primary's and these. @throws ConnectError */
  open(place: Partial<RedisOptions>): Promise<Valkey>;
  /** Makes a connection of a client. */
  connect(client: Valkey): ToServer;
  /** Returns whether the primary's connection was closed, or rejects all calls. */
  readonly isEnded: () => boolean;
}

/**
 * One replica of a server, for reads that may be outdated. It is searched at the first read, and kept, so that the reads of
 * this process do not go back in time. Another one is searched after it is lost. Whatever fails here is asked of the primary.
 */
export class Replica implements ReplicaReads {
  readonly #source: ReplicaSource;
  #connection: ToServer | undefined;
  #search: Promise<void> | undefined;
  #searchedAt = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #readyAt = Number.NEGATIVE_INFINITY;
  #isWarned = false;

  constructor(source: ReplicaSource) {
    this.#source = source;
  }

  async ask<T>(
    question: (client: Valkey, server: Server) => Promise<T>,
    until: Deadline,
  ): Promise<readonly [T] | undefined> {
    const deadline = Deadline.in(until.remainingMs / 2);
    const replica = await this.#ready(deadline);
    if (replica === undefined) return undefined;
    try {
      return [await deadline.race(question(replica.client, replica))];
    } catch (error) {
      // It can be behind, for example without a machine that was installed a moment ago. MOVED: it has another primary.
      this.#source.logger.debug(
        { error: safeMessage(error) },
        "a replica did not answer; asking the primary",
      );
      if (replyCode(error) === "MOVED") this.#leave(replica, error);
      return undefined;
    }
  }

  async #ready(deadline: Deadline): Promise<ToServer | undefined> {
    if (this.#source.isEnded()) return undefined;
    const now = performance.now();
    const known = this.#connection;
    if (known?.isReady) {
      this.#readyAt = now;
      if (now - this.#checkedAt <= CHECK_MS) return known;
      this.#checking ??= this.#check(known).finally(() => {
        this.#checking = undefined;
      });
      const isChecked = await deadline.race(this.#checking).then(
        () => true,
        () => false,
      );
      return isChecked && this.#connection === known ? known : undefined;
    }
    if (known !== undefined && now - this.#readyAt > PATIENCE_MS)
      this.#leave(known, new Error("unreachable"));
    if (this.#connection === undefined && now - this.#searchedAt > SEARCH_PAUSE_MS) {
      const isFirst = this.#searchedAt === Number.NEGATIVE_INFINITY;
      this.#search ??= this.#find();
      // Only the first search is waited for: the primary answers during the later ones.
      if (isFirst) await deadline.race(this.#search).catch(() => {});
    }
    return this.#connection?.isReady ? this.#connection : undefined;
  }

  async #find(): Promise<void> {
    const { primary, logger, isEnded } = this.#source;
    try {
      const client = await this.#openOne(await replicaPlaces(primary));
      const found = this.#source.connect(client);
      found.guard(() => this.#check(found));
      this.#connection = found;
      this.#checkedAt = this.#readyAt = performance.now();
      this.#isWarned = false;
      logger.info({ replica: found.address }, "reads from a replica begin");
    } catch (error) {
      if (isEnded()) return;
      const level = this.#isWarned ? "debug" : "warn";
      this.#isWarned = true;
      logger[level]({ error: safeMessage(error) }, "no replica can be read; the primary answers");
    } finally {
      this.#searchedAt = performance.now();
      this.#search = undefined;
    }
  }

  /** Opens the first that can be read. @throws the error of the last one */
  async #openOne(places: readonly Partial<RedisOptions>[]): Promise<Valkey> {
    let cause: unknown = new Error("the server has no replica that is online");
    for (const place of places) {
      try {
        const client = await this.#source.open(place);
        try {
          await checkReplica(client);
          return client;
        } catch (error) {
          hangUp(client);
          throw error;
        }
      } catch (error) {
        cause = error;
      }
    }
    throw cause;
  }

  /** Leaves a replica that must not be read any more. */
  async #check(replica: ToServer): Promise<void> {
    try {
      await checkReplica(replica.client);
      this.#checkedAt = performance.now();
    } catch (error) {
      if (!isLoss(error)) this.#leave(replica, error);
    }
  }

  #leave(replica: ToServer, cause: unknown): void {
    if (this.#connection !== replica) return;
    this.#connection = undefined;
    hangUp(replica.client);
    const fields = { replica: replica.address, error: safeMessage(cause) };
    this.#source.logger.info(fields, "reads from this replica end");
  }
}
