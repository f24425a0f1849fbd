import type { Valkey } from "iovalkey";
import { LatchkeyError } from "../../errors/latchkey-error.js";
import { hostText } from "../address.js";
import { pauseBeforeRetry } from "../backoff.js";
import { ClosingWork } from "../closing-work.js";
import type { Server, ToServer } from "../connection.js";
import type { Deadline } from "../deadline.js";
import { EntityOrder } from "../entity-order.js";
import { OfflineError, type Redirection, redirectionOf } from "../failure.js";
import type { Place } from "../place.js";
import { Positions } from "../positions.js";
import type { ConnectionCheck } from "../readiness.js";
import { type MapOwner, MapUpdates } from "./map-updates.js";
import { ClusterNode, type NodeLink, type NodeOwner } from "./node.js";
import { Route, type RouteOwner, type RouteSettings } from "./route.js";
import { type NatMap, type NodeAddress, reachable, type SlotMap, slotOf } from "./slots.js";
import { type MapSource, readMap, type View } from "./view.js";

/** Opens the connections of a cluster, and holds its settings. */
export interface ClusterSource extends MapSource {
  readonly settings: RouteSettings;
  /** Key of the facts of the namespace. */
  readonly home: string;
  readonly natMap: NatMap | undefined;
  /** Provides the way to a node, whose replies MOVED are reported to the cluster. */
  link(address: NodeAddress, cluster: Cluster): NodeLink;
}

/**
 * The primaries of a cluster, each with an ordinary connection, and the map of slots, which names the one that holds a key.
 *
 * iovalkey's own Cluster is not used: it sends calls again by itself, cannot load a script at a given node, and sets the
 * options of its connections.
 */
export class Cluster implements RouteOwner, NodeOwner, MapOwner {
  readonly order = new EntityOrder();
  readonly positions = new Positions(
    (key) => this.of(key).client,
    () => this.verify(),
  );
  readonly #source: ClusterSource;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #routes = new Map<number, Route>();
  readonly #closing = new ClosingWork();
  readonly receivers = new Map<number, string>();
  #owners: readonly (string | undefined)[] = [];
  #check: ConnectionCheck | undefined;
  #failure: LatchkeyError | undefined;
  readonly #updates = new MapUpdates(this);
  #isClosed = false;
  #change: Promise<void> | undefined;
  #notify: () => void = () => {};

  constructor(source: ClusterSource, { map }: View) {
    this.#source = source;
    this.#apply(map);
  }

  get settings(): RouteSettings {
    return this.#source.settings;
  }

  /** Makes the connection of calls that concern no partition: to the server that holds the facts of the namespace. */
  root(): Route {
    return new Route(this, slotOf(this.#source.home), true);
  }

  get failure(): LatchkeyError | undefined {
    return this.#failure;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  of(key: string): Route {
    const slot = slotOf(key);
    const route = this.#routes.get(slot) ?? new Route(this, slot);
    this.#routes.set(slot, route);
    return route;
  }

  serverOf(slot: number): ToServer | undefined {
    return this.nodeOf(slot)?.connection;
  }

  nodeOf(slot: number): ClusterNode | undefined {
    return this.#nodes.get(this.#owners[slot] ?? "");
  }

  servers(): readonly ToServer[] {
    return [...this.#nodes.values()].flatMap(({ connection }) => connection ?? []);
  }

  async readyServers(deadline: Deadline): Promise<readonly ToServer[]> {
    for (let failed = 0; !this.#isClosed && !(await this.#updates.read()); failed += 1) {
      if (deadline.isOver) throw new OfflineError({ server: this.settings.address });
      await pauseBeforeRetry(failed, deadline);
    }
    const slots = new Map(this.#owners.map((owner, slot) => [owner, slot]));
    slots.delete(undefined);
    const each = [...slots.values()];
    await Promise.all(each.map((slot) => new Route(this, slot).untilReady(deadline)));
    return [...new Set(each.flatMap((slot) => this.serverOf(slot) ?? []))];
  }

  async reachableServers(): Promise<readonly ToServer[]> {
    await this.#updates.read();
    await Promise.all([...this.#nodes.values()].map((node) => node.attempt()));
    return this.servers().filter(({ isReady }) => isReady);
  }

  change(): Promise<void> {
    this.#change ??= new Promise((resolve) => {
      this.#notify = () => {
        this.#change = undefined;
        resolve();
      };
    });
    return this.#change;
  }

  receiver(error: unknown, client: Valkey): Promise<Server> | undefined {
    const redirection = redirectionOf(error, client.options.host);
    return redirection?.kind === "ASK" ? this.receiverFor(redirection) : undefined;
  }

  /** Returns the node that a reply ASK named, for calls about the slot that it receives. @throws OfflineError */
  receiverFor(to: Redirection): Promise<Server> {
    const node = this.nodeFor(to);
    this.receivers.set(to.slot, node.place.server);
    return node.receiver();
  }

  get away(): readonly Place[] {
    return [...this.#nodes.values()].flatMap(({ isReady, place }) => (isReady ? [] : place));
  }

  onMoved(to: Redirection): void {
    const { address } = this.nodeFor(to);
    const owner = hostText(address.host, address.port);
    if (this.#owners[to.slot] === owner) return; // an earlier reply has said so
    this.#owners = this.#owners.with(to.slot, owner);
    this.onOutdated();
  }

  onOutdated(): void {
    this.#notify();
    this.#updates.demand();
  }

  /** Returns the node at an address that another node named. Connects to it if it is new. */
  nodeFor({ host, port }: NodeAddress): ClusterNode {
    return this.#add(reachable(host, port, this.#source.natMap));
  }

  #add(address: NodeAddress): ClusterNode {
    const name = hostText(address.host, address.port);
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const node = new ClusterNode(address, this);
    if (this.#check !== undefined) node.guard(this.#checkOf(name));
    this.#nodes.set(name, node);
    void node.start();
    return node;
  }

  link(address: NodeAddress): NodeLink {
    return this.#source.link(address, this);
  }

  onChange(): void {
    this.#notify();
    this.#updates.check();
  }

  get isWanted(): boolean {
    return !this.#isClosed && this.#failure === undefined;
  }

  get isDamaged(): boolean {
    return this.#owners.includes(undefined) || this.servers().some(({ isReady }) => !isReady);
  }

  async readMap(): Promise<boolean> {
    const clients = this.servers().flatMap(({ isReady, client }) => (isReady ? client : []));
    const map = await readMap(this.#source, clients, this.settings.logger);
    if (map !== undefined && !this.#isClosed) this.#apply(map);
    this.#notify();
    return map !== undefined;
  }

  #apply({ owners, primaries }: SlotMap): void {
    if (primaries.size === 0) return; // a node that has been reset, or has just begun
    this.receivers.clear();
    this.#owners = owners;
    for (const address of primaries.values()) this.#add(address);
    for (const [name, node] of this.#nodes) {
      if (primaries.has(name)) continue;
      this.#nodes.delete(name);
      node.retire();
      this.settings.logger.info({ node: name }, "a node of the cluster holds no slots any more");
    }
  }

  guard(check: ConnectionCheck): void {
    this.#check = check;
    for (const [name, node] of this.#nodes) node.guard(this.#checkOf(name));
  }

  /** Makes the check of one node. If it fails for good, it rejects all further calls, also those to other nodes. */
  #checkOf(name: string): ConnectionCheck {
    const holds = (key: string): boolean => this.#owners[slotOf(key)] === name;
    return async (client, _, isNew) => {
      try {
        await this.#check?.(client, holds, isNew);
      } catch (error) {
        if (error instanceof LatchkeyError) this.fail(error);
        throw error;
      }
    };
  }

  async verify(server?: ToServer): Promise<void> {
    const home = this.serverOf(slotOf(this.#source.home));
    const servers = new Set(home?.isReady === true ? [home] : []);
    if (server !== undefined) servers.add(server);
    await Promise.all([...servers].map((one) => one.verify()));
  }

  fail(error: LatchkeyError): void {
    this.#failure ??= error;
    for (const server of this.servers()) server.fail(error);
    this.#notify();
  }

  beforeClose(work: () => Promise<void>): () => void {
    return this.#closing.add(work);
  }

  async close(): Promise<void> {
    await this.#closing.run();
    this.#isClosed = true;
    this.#updates.stop();
    this.#source.close();
    this.order.close();
    await Promise.all(this.servers().map((server) => server.close()));
    for (const node of this.#nodes.values()) node.retire();
    this.#notify();
  }
}
