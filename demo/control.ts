import { Dispatcher } from "./dispatcher.js";
import { Doom } from "./doom.js";
import type { Ending } from "./evidence.js";
import { DemoFailure } from "./failure.js";
import { Fleet } from "./fleet.js";
import type { Fact, FromReplica } from "./messages.js";
import type { Task } from "./plan.js";
import { Tally } from "./tally.js";

const STALLED_MS = 20_000;

/** The place where all replicas' news come together and go out again: every fact goes to every replica. */
export class Control {
  readonly fleet: Fleet;
  readonly tally: Tally;
  readonly endings = new Map<string, Ending>();
  /** The agents of the killed replica whose end nobody saw. */
  readonly orphans = new Set<string>();
  /** Settles when all replicas are connected to the server. */
  readonly ready: Promise<void>;
  readonly #dispatcher: Dispatcher;
  readonly #doom: Doom;
  readonly #fail: (cause: unknown) => void;
  readonly #stalled: NodeJS.Timeout;
  readonly #waitedFor: Set<string>;
  readonly #pids = new Map<string, number>();
  readonly #killOrders = new Set<string>();
  #becomeReady: () => void = () => {};
  #isEnded: (id: string) => Promise<boolean> = async () => false;
  #isKilled = false;

  /**
   * Starts the replicas' processes.
   *
   * @param doomed the replica that is killed as soon as all its long tasks run
   * @param isFinal tells the end states of the machine
   * @param fail told when a replica dies or reports trouble, or nothing moves any more
   */
  constructor(
    tasks: readonly Task[],
    replicas: readonly string[],
    doomed: string,
    isFinal: (state: string) => boolean,
    fail: (cause: unknown) => void,
  ) {
    this.#fail = fail;
    this.#waitedFor = new Set(replicas);
    this.tally = new Tally(replicas);
    this.ready = new Promise((resolve) => {
      this.#becomeReady = resolve;
    });
    this.#dispatcher = new Dispatcher(tasks, replicas, isFinal, ({ id, taskId, command, owner }) =>
      this.announce({ kind: "task", id, taskId, command, owner }),
    );
    const its = tasks.filter(({ owner }) => owner === doomed);
    this.#doom = new Doom(its, replicas.length, isFinal, () => this.#kill(doomed, its).catch(fail));
    this.#stalled = setTimeout(() => {
      fail(new DemoFailure(`nothing happened for ${STALLED_MS / 1000} seconds`));
    }, STALLED_MS);
    this.fleet = new Fleet(replicas, {
      onMessage: (replica, message) => this.#hear(replica, message),
      onDeath: (replica, how) => fail(new DemoFailure(`${replica} died unexpectedly (${how})`)),
    });
  }

  /** Whether a replica has been killed. */
  get isKilled(): boolean {
    return this.#isKilled;
  }

  /**
   * Hands out all tasks; settles when every living replica has tried to record the end of every agent, and the leases
   * of those that the killed one left have run out.
   *
   * @param isEnded asks the server whether an agent is in an end state
   */
  async run(isEnded: (id: string) => Promise<boolean>): Promise<void> {
    this.#isEnded = isEnded;
    this.#dispatcher.start();
    await this.#dispatcher.finished;
  }

  /** Ends all replicas and their agents. Returns the replicas that did not end by themselves. */
  stop(): Promise<string[]> {
    clearTimeout(this.#stalled);
    return this.fleet.stop();
  }

  /** Lets every replica know of a fact. */
  announce(fact: Fact): void {
    const { id } = fact;
    if (fact.kind === "started") this.#pids.set(id, fact.pid);
    if (fact.kind === "kill-ordered") this.#killOrders.add(id);
    if (fact.kind === "ended") {
      this.endings.set(id, {
        pid: this.#pids.get(id),
        exit: fact.exit,
        killOrdered: this.#killOrders.has(id),
      });
    }
    this.fleet.broadcast(fact);
  }

  async #kill(doomed: string, its: readonly Task[]): Promise<void> {
    await this.fleet.kill(doomed);
    this.#isKilled = true;
    for (const { id } of its) if (!this.endings.has(id)) this.orphans.add(id);
    // A lease may have run out before, where the machine is too busy, and the killed one may have recorded it untold.
    for (const id of this.orphans) if (await this.#isEnded(id)) this.#dispatcher.ranOut(id);
    this.#dispatcher.lost(doomed, this.orphans);
  }

  #hear(replica: string, message: FromReplica): void {
    this.#stalled.refresh();
    switch (message.type) {
      case "ready":
        this.#waitedFor.delete(replica);
        if (this.#waitedFor.size === 0) this.#becomeReady();
        return;
      case "fact":
        this.announce(message.fact);
        return;
      case "call":
        this.tally.add(replica, message.call);
        this.#dispatcher.heard(replica, message.call);
        this.#doom.heard(message.call);
        return;
      case "ran-out":
        this.tally.addRanOut(replica, message.ranOut);
        this.#dispatcher.ranOut(message.ranOut.id);
        return;
      case "trouble":
        this.#fail(new DemoFailure(`${replica}: ${message.message}`));
    }
  }
}
