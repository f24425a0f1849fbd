import type { Change } from "../contract/document.js";
import { ClosedError } from "../errors/closed-error.js";
import type { GapError } from "../errors/gap-error.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { endCursor, followLog } from "./tail.js";

/** Receives the changes of one entity from now on. */
export interface Follower {
  readonly id: string;
  /** Called with each change, and in a cluster perhaps with some that are older than the call of `follow`. */
  onChange(change: Change): void;
  /** Called after a gap: read the entity again. Later changes arrive at `onChange`. */
  onMissed(reason?: GapError["reason"]): void;
  /** Called at the end: no further change arrives. */
  onEnd(error: unknown): void;
}

/** Delivers changes to any number of followers over one connection, which is open while there is a follower. */
export class Feed {
  readonly #store: MachineStore;
  readonly #followers = new Map<string, Set<Follower>>();
  #run: { readonly begun: Promise<unknown>; readonly stop: AbortController; hasBegun: boolean } | undefined;

  constructor(store: MachineStore) {
    this.#store = store;
  }

  /** True if changes are delivered to a new follower at once. */
  get isRunning(): boolean {
    return this.#run?.hasBegun === true;
  }

  /**
   * Adds a follower. Settles as soon as every later change is delivered to it. While the server is unreachable this can
   * take long: call `leave` to give up.
   *
   * @throws ConnectError, or the server's error, if the end of the log cannot be read.
   */
  async follow(follower: Follower): Promise<void> {
    const followers = this.#followers.get(follower.id) ?? new Set();
    this.#followers.set(follower.id, followers.add(follower));
    this.#run ??= this.#start();
    await this.#run.begun;
  }

  leave(follower: Follower): void {
    const followers = this.#followers.get(follower.id);
    if (followers?.delete(follower) === true && followers.size === 0) this.#followers.delete(follower.id);
    if (this.#followers.size > 0) return;
    this.#run?.stop.abort();
    this.#run = undefined;
  }

  #start() {
    const stop = new AbortController();
    const run = { begun: this.#end(stop.signal), stop, hasBegun: false };
    const end = (error?: unknown): void => {
      if (this.#run !== run) return;
      this.#run = undefined;
      if (error === undefined) return;
      const all = this.#all();
      this.#followers.clear();
      for (const follower of all) follower.onEnd(error);
    };
    // If it does not even begin, `follow` throws for each follower.
    run.begun.then(
      (cursor) => {
        run.hasBegun = true;
        this.#deliver(cursor, stop.signal).catch(end);
      },
      () => end(),
    );
    return run;
  }

  async #end(signal: AbortSignal): Promise<string> {
    const what = `following ${this.#store.location.machine}`;
    return endCursor(this.#store, what, () => !signal.aborted);
  }

  async #deliver(cursor: string, signal: AbortSignal): Promise<void> {
    const onGap = ({ reason }: GapError): void => {
      for (const follower of this.#all()) follower.onMissed(reason);
    };
    for await (const change of followLog(this.#store, cursor, signal, onGap)) {
      for (const follower of [...(this.#followers.get(change.id) ?? [])]) follower.onChange(change);
    }
    if (!signal.aborted) throw new ClosedError();
  }

  #all(): Follower[] {
    return [...this.#followers.values()].flatMap((followers) => [...followers]);
  }
}
