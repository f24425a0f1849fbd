import type { Valkey } from "iovalkey";
import { ClosedError } from "../../errors/closed-error.js";
import type { LatchkeyError } from "../../errors/latchkey-error.js";
import type { Connection, ReplicaReads, Server, ToServer } from "../connection.js";
import { Deadline } from "../deadline.js";
import { OfflineError } from "../failure.js";
import type { Place } from "../place.js";
import type { ConnectionCheck } from "../readiness.js";
import type { ClusterNode } from "./node.js";
import { nodeProblem } from "./node-problem.js";

/** Holds the settings of all calls. The address is the URL of the cluster, without credentials. */
export type RouteSettings = Pick<
  Connection,
  "address" | "logger" | "connectionName" | "silenceMs" | "timeoutMs" | "durability" | "actor"
>;

/** Serves the routes of a cluster. */
export type RouteOwner = Pick<
  Connection,
  | "of"
  | "servers"
  | "readyServers"
  | "reachableServers"
  | "receiver"
  | "positions"
  | "order"
  | "guard"
  | "fail"
  | "beforeClose"
  | "isClosed"
  | "close"
> & {
  readonly settings: RouteSettings;
  /** Error that rejects all further calls. */
  readonly failure: LatchkeyError | undefined;
  /** Returns the connection to the primary of a slot; undefined before it is connected. */
  serverOf(slot: number): ToServer | undefined;
  /** Returns the primary of a slot; undefined if none is known. */
  nodeOf(slot: number): Pick<ClusterNode, "place"> | undefined;
  /** Addresses of the nodes that receive slots, by the slot, as replies have named them since the map was read. */
  readonly receivers: ReadonlyMap<number, string>;
  /** Nodes without a connection. */
  readonly away: readonly Place[];
  /** Settles at the next change of the map of slots, or of a server's state. */
  change(): Promise<void>;
  /** Checks a server, and the one that holds the facts of the namespace if it is connected. */
  verify(server: ToServer): Promise<void>;
};

/** The connection to whichever server holds a slot at the moment. */
export class Route implements Connection {
  readonly isCluster = true;
  readonly #cluster: RouteOwner;
  readonly #slot: number;
  readonly #isRoot: boolean;
  #last: Connection | undefined;
  /** Sum of the epochs of the servers that held the slot before. */
  #earlier = 0;

  /** @param isRoot true for the connection of calls that concern no partition, whose address is that of the whole cluster */
  constructor(cluster: RouteOwner, slot: number, isRoot = false) {
    this.#cluster = cluster;
    this.#slot = slot;
    this.#isRoot = isRoot;
  }

  of(key: string): Connection {
    return this.#cluster.of(key);
  }

  get server(): ToServer {
    const server = this.#cluster.serverOf(this.#slot);
    if (server === undefined) throw new OfflineError(this.place);
    return server;
  }

  async findServer(): Promise<ToServer> {
    try {
      await this.untilReady(Deadline.in(this.timeoutMs));
      return this.server;
    } catch (error) {
      throw error instanceof OfflineError ? nodeProblem(this.place, this.address) : error;
    }
  }

  servers(): readonly ToServer[] {
    return this.#cluster.servers();
  }

  readyServers(deadline: Deadline): Promise<readonly ToServer[]> {
    return this.#cluster.readyServers(deadline);
  }

  reachableServers(): Promise<readonly ToServer[]> {
    return this.#cluster.reachableServers();
  }

  receiver(error: unknown, client: Valkey): Promise<Server> | undefined {
    return this.#cluster.receiver(error, client);
  }

  get client(): Valkey {
    return this.server.client;
  }

  get address(): string {
    const node = this.#isRoot ? undefined : this.#cluster.nodeOf(this.#slot);
    return node?.place.server ?? this.#cluster.settings.address;
  }

  get place(): Place {
    const slot = this.#slot;
    const node = this.#cluster.nodeOf(slot)?.place ?? { server: undefined };
    return {
      ...node,
      slot,
      isHome: this.#isRoot,
      receiver: this.#cluster.receivers.get(slot),
      away: this.#cluster.away,
    };
  }

  get replica(): ReplicaReads | undefined {
    return this.#cluster.serverOf(this.#slot)?.replica;
  }

  get logger() {
    return this.#cluster.settings.logger;
  }

  get connectionName() {
    return this.#cluster.settings.connectionName;
  }

  get silenceMs() {
    return this.#cluster.settings.silenceMs;
  }

  get timeoutMs() {
    return this.#cluster.settings.timeoutMs;
  }

  get durability() {
    return this.#cluster.settings.durability;
  }

  get actor() {
    return this.#cluster.settings.actor;
  }

  get positions() {
    return this.#cluster.positions;
  }

  get order() {
    return this.#cluster.order;
  }

  get epoch(): number {
    const server = this.#cluster.serverOf(this.#slot);
    if (server !== undefined && server !== this.#last) {
      this.#earlier += this.#last === undefined ? 0 : this.#last.epoch + 1;
      this.#last = server;
    }
    return this.#earlier + (this.#last?.epoch ?? 0);
  }

  get isReady(): boolean {
    return !this.isClosed && this.#cluster.serverOf(this.#slot)?.isReady === true;
  }

  /** Waits until the server that holds the slot is connected, whichever that is by then. */
  async untilReady(deadline: Deadline): Promise<void> {
    while (!this.isReady) {
      if (this.isClosed) throw new ClosedError();
      if (this.#cluster.failure !== undefined) throw this.#cluster.failure;
      const server = this.#cluster.serverOf(this.#slot);
      if (deadline.isOver) throw new OfflineError(this.place);
      const never = new Promise<void>(() => {});
      const ready = server?.untilReady(deadline);
      const change = this.#cluster.change();
      // A server that cannot become ready is left when the map of slots changes.
      const next = Promise.race([change, ready?.catch(() => never) ?? never]);
      await deadline.race(next).catch(() => {}); // the next round checks the deadline
    }
  }

  async open(purpose: string): Promise<Valkey> {
    return (await this.findServer()).open(purpose);
  }

  guard(check: ConnectionCheck): void {
    this.#cluster.guard(check);
  }

  async verify(): Promise<void> {
    await this.#cluster.verify(this.server);
  }

  fail(error: LatchkeyError): void {
    this.#cluster.fail(error);
  }

  beforeClose(work: () => Promise<void>): () => void {
    return this.#cluster.beforeClose(work);
  }

  /** False for as long as `close` was not called: the cluster may come back. */
  get isEnded(): boolean {
    return this.isClosed;
  }

  get isClosed(): boolean {
    return this.#cluster.isClosed;
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }
}
