import type { Change, Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import { ConnectError } from "../errors/connect-error.js";
import { WaitError } from "../errors/wait-error.js";
import type { Feed, Follower } from "../events/feed.js";
import { askOnce } from "../valkey/ask.js";
import { Deadline } from "../valkey/deadline.js";
import { entityKey } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { retryWhile } from "../valkey/retry.js";

/** How long the look at the end of a wait's time may take. */
const LAST_LOOK_MS = 250;

/** One wait: takes what is read and what happens, in their order, until it is over. */
export class Wait<S extends string> implements Follower<Change<S>> {
  readonly id: string;
  readonly result: Promise<Snapshot<S>>;
  readonly #store: MachineStore;
  readonly #isWanted: (entity: Snapshot<S>) => boolean;
  readonly #states: readonly S[] | undefined;
  /** What came while the entity was being read; undefined when it is not. */
  #early: Change<S>[] | undefined = [];
  #current: Snapshot<S> | null = null;
  #looks = 0;
  #isOver = false;
  #resolve: (entity: Snapshot<S>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    store: MachineStore,
    id: string,
    isWanted: (entity: Snapshot<S>) => boolean,
    states: readonly S[] | undefined,
  ) {
    this.id = id;
    this.#store = store;
    this.#isWanted = isWanted;
    this.#states = states;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = (entity) => {
        this.#isOver = true;
        resolve(entity);
      };
      this.#reject = (error) => {
        this.#isOver = true;
        reject(error);
      };
    });
  }

  /** Begins; goes on for as long as it is not over, however long the server is away. */
  follow(feed: Feed<Change<S>>): void {
    this.#told(() => feed.follow(this)).then(
      () => this.look(),
      (error: unknown) => this.#reject(error),
    );
  }

  /** Reads the entity; after it, judges what came meanwhile. */
  look(): void {
    if (this.#isOver) return;
    this.#early ??= [];
    this.#looks += 1;
    const look = this.#looks;
    this.#told(() => this.#read()).then(
      (entity) => {
        if (look !== this.#looks) return; // looked once more meanwhile, because something was missed
        const early = this.#early ?? [];
        this.#early = undefined;
        if (entity === null) this.#fail("NOTFOUND", "not found; it was never created, or removed");
        else this.#judge(entity);
        for (const change of early) this.onChange(change);
      },
      (error: unknown) => this.#reject(error),
    );
  }

  onChange(change: Change<S>): void {
    if (this.#early !== undefined) this.#early.push(change);
    else if (!isBefore(change, this.#current)) this.#judge(change);
  }

  onMissed(): void {
    this.look();
  }

  onEnd(error: unknown): void {
    this.#reject(error);
  }

  /** Looks once more before it gives up: of data that the server lost no event tells. */
  async timeUp(ms: number): Promise<void> {
    const { client, address } = this.#store.connection;
    const isThere = client.status === "ready" && (await this.#lookAgain());
    if (this.#isOver) return;
    const [is, why] = isThere ? ["is", ""] : ["was", `; ${address} can't be reached`];
    const state = this.#current === null ? "nothing is known of it" : `it ${is} ${this.#current.state}`;
    this.#fail("TIMEDOUT", `was not ${this.#what()} within ${ms} ms; ${state}${why}`);
  }

  async #lookAgain(): Promise<boolean> {
    const { connection, location } = this.#store;
    const key = entityKey(location, this.id);
    try {
      const hash = await Deadline.in(LAST_LOOK_MS).race(connection.client.hgetall(key));
      const entity = readEntity<S>(location.machine, this.id, hash);
      if (entity === null) this.#fail("NOTFOUND", "is gone, though no event told of it: the server lost it");
      else this.#judge(entity);
      return true;
    } catch {
      return false;
    }
  }

  async #read(): Promise<Snapshot<S> | null> {
    const { connection, location } = this.#store;
    const key = entityKey(location, this.id);
    const isWanted = (): boolean => !this.#isOver;
    const hash = await retryWhile(connection, isWanted, this.#name, () => connection.client.hgetall(key));
    return readEntity<S>(location.machine, this.id, hash);
  }

  /** Asks the server. @throws ConnectError where latchkey is closed, else NotExecutedError where it does not tell. */
  async #told<T>(question: () => Promise<T>): Promise<T> {
    const { connection } = this.#store;
    return askOnce(connection, this.#name, question).catch((error: unknown) => {
      throw connection.isClosed ? new ConnectError(connection.address, "ended") : error;
    });
  }

  get #name(): string {
    return `waiting for ${this.#store.location.machine} ${this.id}`;
  }

  #judge(entity: Snapshot<S> | Change<S>): void {
    this.#current = entity;
    if (entity.type === `${this.#store.location.machine}.removed`) {
      this.#current = null;
      this.#fail("NOTFOUND", `was removed while it was waited for; it was ${entity.state}`);
      return;
    }
    try {
      if (this.#isWanted(entity)) this.#resolve(entity);
      else if (this.#isAtEnd(entity.state))
        this.#fail("FINAL", `is ${entity.state}, which is final: no transition leads to ${this.#what()}`);
    } catch (error) {
      this.#reject(error);
    }
  }

  /** A predicate may still come true in a final state, by a patch. */
  #isAtEnd(state: S): boolean {
    const rule = this.#store.definition.states[state];
    return this.#states !== undefined && rule !== undefined && (rule.to ?? []).length === 0;
  }

  #what(): string {
    return this.#states?.join(" or ") ?? "as wanted";
  }

  #fail(code: WaitError["code"], text: string): void {
    const { machine } = this.#store.location;
    this.#reject(new WaitError(code, `${machine} ${this.id} ${text}`, machine, this.id, this.#current));
  }
}

/** True where a change had been made already when the entity was as it is known. */
function isBefore(change: Change, known: Snapshot | null): boolean {
  if (known === null) return false;
  return change.createdAt === known.createdAt
    ? change.version <= known.version
    : change.timestamp < known.timestamp;
}
