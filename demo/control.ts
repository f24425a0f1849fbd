import { Dispatcher } from "./dispatcher.js";
import type { Ending } from "./evidence.js";
import { DemoFailure } from "./failure.js";
import { Fleet } from "./fleet.js";
import { KillSwitch } from "./kill-switch.js";
import type { Fact, FromReplica } from "./messages.js";
import type { Task } from "./plan.js";
import { Tally } from "./tally.js";

/** Longer than the longest lease and a failover, because then nothing happens. */
const STALLED_MS = 40_000;

/** The replicas of a race, their agents, and the replica that is killed. */
export interface Field {
  readonly tasks: readonly Task[];
  readonly replicas: readonly string[];
  /** The replica that is killed as soon as all its long agents run; undefined if none is. */
  readonly victim?: string;
  /** Returns true for the end states of the machine. */
  readonly isFinal: (state: string) => boolean;
}

/** Reports of a race while it runs. */
export interface ControlListener {
  /** Called when a replica crashes or reports a failure, or nothing has happened for a long time. */
  fail(cause: unknown): void;
  /** Called when the process of an agent has ended. */
  onEnd?(): void;
  /** Called when the victim has been killed, with the agents that it left running. */
  onKill?(orphans: ReadonlySet<string>): void;
  /** Returns whether the server has recorded the end of an agent. */
  isEnded?(id: string): Promise<boolean>;
}

/** Collects the news of all replicas and distributes them: every replica receives every fact. */
export class Control {
  readonly fleet: Fleet;
  readonly tally: Tally;
  readonly endings = new Map<string, Ending>();
  /** The agents of the killed replica whose end nobody saw. */
  readonly orphans = new Set<string>();
  /** Settles when all replicas are connected to the server. */
  readonly ready: Promise<void>;
  readonly #field: Field;
  readonly #listener: ControlListener;
  readonly #dispatcher: Dispatcher;
  readonly #killSwitch: KillSwitch | undefined;
  readonly #stalled: NodeJS.Timeout;
  readonly #connecting: Set<string>;
  readonly #pids = new Map<string, number>();
  readonly #killOrders = new Set<string>();
  #becomeReady: () => void = () => {};

  /** Starts the replicas' processes. */
  constructor(field: Field, listener: ControlListener) {
    const { tasks, replicas, victim, isFinal } = field;
    this.#field = field;
    this.#listener = listener;
    this.#connecting = new Set(replicas);
    this.tally = new Tally(replicas);
    this.ready = new Promise((resolve) => {
      this.#becomeReady = resolve;
    });
    this.#dispatcher = new Dispatcher(tasks, replicas, isFinal, ({ id, taskId, command, owner }) =>
      this.announce({ kind: "task", id, taskId, command, owner }),
    );
    if (victim !== undefined) {
      const own = tasks.filter(({ owner }) => owner === victim);
      const kill = (): void => void this.#kill(victim, own).catch((cause) => listener.fail(cause));
      this.#killSwitch = new KillSwitch(own, replicas.length, isFinal, kill);
    }
    this.#stalled = setTimeout(() => {
      listener.fail(new DemoFailure(`nothing happened for ${STALLED_MS / 1000} seconds`));
    }, STALLED_MS);
    this.fleet = new Fleet(replicas, {
      onMessage: (replica, message) => this.#receive(replica, message),
      onDeath: (replica, how) => listener.fail(new DemoFailure(`${replica} ended unexpectedly (${how})`)),
    });
  }

  /**
   * Hands out all tasks. Settles when every living replica has attempted to record the end of every agent, and the
   * leases of the killed replica's agents have expired.
   */
  async run(): Promise<void> {
    this.#dispatcher.start();
    await this.#dispatcher.finished;
  }

  /** Ends all replicas and their agents. Returns the replicas that did not end by themselves. */
  stop(): Promise<string[]> {
    clearTimeout(this.#stalled);
    return this.fleet.stop();
  }

  /** Orders to kill an agent. One replica, another one each time, receives the order from the operator. */
  orderKill(id: string, reason: string): void {
    const { replicas } = this.#field;
    const receiver = replicas[this.#killOrders.size % replicas.length] ?? "";
    this.#killOrders.add(id);
    this.announce({ kind: "kill-ordered", id, reason, receiver });
  }

  /** Sends a fact to every replica. */
  announce(fact: Fact): void {
    const { id } = fact;
    if (fact.kind === "started") this.#pids.set(id, fact.pid);
    if (fact.kind === "ended") {
      const killOrdered = this.#killOrders.has(id);
      this.endings.set(id, { pid: this.#pids.get(id), exit: fact.exit, killOrdered });
      this.#listener.onEnd?.();
    }
    this.fleet.broadcast(fact);
  }

  async #kill(victim: string, own: readonly Task[]): Promise<void> {
    await this.fleet.kill(victim);
    for (const { id } of own) if (!this.endings.has(id)) this.orphans.add(id);
    this.#listener.onKill?.(this.orphans);
    // On a very busy machine a lease may have expired before, recorded by the victim, whose report was lost.
    for (const id of this.orphans)
      if ((await this.#listener.isEnded?.(id)) === true) this.#dispatcher.noteExpiry(id);
    this.#dispatcher.removeReplica(victim, this.orphans);
  }

  #receive(replica: string, message: FromReplica): void {
    this.#stalled.refresh();
    switch (message.type) {
      case "ready":
        this.#connecting.delete(replica);
        if (this.#connecting.size === 0) this.#becomeReady();
        return;
      case "fact":
        this.announce(message.fact);
        return;
      case "call":
        this.tally.add(replica, message.call);
        this.#dispatcher.noteCall(replica, message.call);
        this.#killSwitch?.noteCall(message.call);
        return;
      case "expiry":
        this.tally.addExpiry(replica, message.expiry);
        this.#dispatcher.noteExpiry(message.expiry.id);
        return;
      case "failure":
        this.#listener.fail(new DemoFailure(`${replica}: ${message.message}`));
    }
  }
}
