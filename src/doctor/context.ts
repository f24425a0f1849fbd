import type { Valkey } from "iovalkey";
import { pairsOf } from "../contract/flat-reply.js";
import { hostText } from "../valkey/address.js";
import type { NodeAddress } from "../valkey/cluster/slots.js";
import { readView, type View } from "../valkey/cluster/view.js";
import type { Connection } from "../valkey/connection.js";
import { OfflineError } from "../valkey/failure.js";
import type { MachineLocation } from "../valkey/keys.js";
import { placeOf } from "../valkey/replica-places.js";
import { findMembers, type Member } from "./members.js";
import { readNodes } from "./node-report.js";
import type { Reports } from "./node-states.js";
import { query, unlessDenied } from "./query.js";
import { readIdentity, type ServerIdentity } from "./server-identity.js";

/** Holds the server, the user and the namespace that the doctor checks. Sends each query once. */
export class DoctorContext {
  readonly connection: Connection;
  /** The namespace, and the machine whose keys represent all others in questions about permissions. */
  readonly location: Omit<MachineLocation, "partitions">;
  /** Returns the local wall clock, in ms. */
  readonly now: () => number;
  #servers: Promise<readonly DoctorContext[]> | undefined;
  #members: Promise<readonly Member<DoctorContext>[]> | undefined;
  #reports: Promise<readonly Reports[]> | undefined;
  #allReports: Promise<readonly Reports[]> | undefined;
  #identity: Promise<ServerIdentity> | undefined;
  #info: Promise<ReadonlyMap<string, string>> | undefined;
  #config: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(
    connection: Connection,
    location: Omit<MachineLocation, "partitions">,
    now: () => number = Date.now,
  ) {
    this.connection = connection;
    this.location = location;
    this.now = now;
  }

  /** Returns the connected servers, each with a context of its own: itself, unless they are a cluster. */
  async servers(): Promise<readonly DoctorContext[]> {
    const { connection, location, now } = this;
    if (!connection.isCluster) return [this];
    this.#servers ??= connection
      .reachableServers()
      .then((ready) => ready.map((server) => new DoctorContext(server, location, now)));
    return this.#servers;
  }

  /** Returns a connected server. @throws OfflineError if there is none */
  async #anyServer(): Promise<DoctorContext> {
    const [server] = await this.servers();
    if (server === undefined) throw new OfflineError();
    return server;
  }

  /** Returns all nodes of a cluster, also those that do not reply; for a single server, itself. */
  async members(): Promise<readonly Member<DoctorContext>[]> {
    if (!this.connection.isCluster) return [{ name: this.name, isPrimary: true, context: this }];
    this.#members ??= findMembers(this);
    return this.#members;
  }

  /** Returns the servers and, in a cluster, the replicas that reply. */
  async nodes(): Promise<readonly DoctorContext[]> {
    return (await this.members()).flatMap(({ context }) => context ?? []);
  }

  /** Makes the context of a node. Only its client and its address differ from those of a connected server. */
  async contextOf(client: Valkey, name: string): Promise<DoctorContext> {
    const { connection } = await this.#anyServer();
    const address = connection.address.replace(/[^/]*$/, name);
    return new DoctorContext({ ...connection, client, address }, this.location, this.now);
  }

  /** Makes a client of a node with the settings of a connected server. */
  async clientTo(address: NodeAddress): Promise<Valkey> {
    const { client: own } = (await this.#anyServer()).connection;
    return own.duplicate({ ...placeOf(own, address), lazyConnect: true, retryStrategy: () => null });
  }

  /** Returns the slots of the cluster, as each connected server reports them. @throws CheckDeniedError */
  async views(): Promise<readonly { readonly from: string; readonly view: View }[]> {
    return eachOf(await this.servers(), async (server) => {
      const { client } = server.connection;
      return { from: server.name, view: await query("cluster|slots", () => readView(client)) };
    });
  }

  /** Returns the slots of the cluster, as one server reports them. @throws CheckDeniedError */
  async view(): Promise<View> {
    const { client } = (await this.#anyServer()).connection;
    return query("cluster|slots", () => readView(client));
  }

  /** Returns the nodes of the cluster, as each connected server reports them. @throws CheckDeniedError */
  reports(): Promise<readonly Reports[]> {
    this.#reports ??= this.servers().then((servers) => this.#reportsOf(servers));
    return this.#reports;
  }

  /** Returns the nodes of the cluster, as each node reports them, also replicas and primaries without slots. @throws CheckDeniedError */
  allReports(): Promise<readonly Reports[]> {
    this.#allReports ??= this.nodes().then((nodes) => this.#reportsOf(nodes));
    return this.#allReports;
  }

  async #reportsOf(servers: readonly DoctorContext[]): Promise<readonly Reports[]> {
    const { map } = await this.view();
    const known = new Set([...map.primaries.keys(), ...[...map.replicas.values()].flat().map(addressName)]);
    return eachOf(servers, async (server) => {
      const { client } = server.connection;
      const text = await query("cluster|nodes", () => client.call("CLUSTER", "NODES"));
      return { from: server.name, nodes: readNodes(String(text), client, known) };
    });
  }

  /** Returns the host and the port of the server. */
  get name(): string {
    return this.connection.address.replace(/^.*\/\//, "");
  }

  /** Returns the client of the server that holds a key. */
  clientOf(key: string): Valkey {
    return this.connection.of(key).client;
  }

  /** Returns the user of this connection. */
  get user(): string {
    return this.connection.client.options.username ?? "default";
  }

  /** Identifies the server. HELLO needs no permission; the result is more precise with the permission for INFO. */
  identity(): Promise<ServerIdentity> {
    this.#identity ??= this.#identify();
    return this.#identity;
  }

  async #identify(): Promise<ServerIdentity> {
    const hello = await query("hello", () => this.connection.client.call("HELLO"));
    return readIdentity(pairs(hello), await unlessDenied(this.info()));
  }

  /** Returns the fields of INFO. @throws CheckDeniedError */
  info(): Promise<ReadonlyMap<string, string>> {
    this.#info ??= query("info", async () => {
      const text = await this.connection.client.info();
      return new Map(
        [...text.matchAll(/^([^:\r\n]*):(.*?)\r?$/gm)].map(([, name = "", value = ""]) => [name, value]),
      );
    });
    return this.#info;
  }

  /** Returns the settings that latchkey depends on. @throws CheckDeniedError */
  config(): Promise<ReadonlyMap<string, string>> {
    this.#config ??= query("config|get", async () =>
      pairs(await this.connection.client.config("GET", ...SETTINGS)),
    );
    return this.#config;
  }
}

const SETTINGS = [
  "appendonly",
  "appendfsync",
  "no-appendfsync-on-rewrite",
  "aof-load-truncated",
  "save",
  "min-replicas-to-write",
  "cluster-require-full-coverage",
];

function addressName({ host, port }: NodeAddress): string {
  return hostText(host, port);
}

/** Asks each server. @returns the replies; @throws an error only if none replies */
async function eachOf<T>(
  servers: readonly DoctorContext[],
  question: (server: DoctorContext) => Promise<T>,
): Promise<readonly T[]> {
  const replies = await Promise.allSettled(servers.map(question));
  const failed = replies.find((reply) => reply.status === "rejected");
  const values = replies.flatMap((reply) => (reply.status === "fulfilled" ? [reply.value] : []));
  if (values.length === 0 && failed !== undefined) throw failed.reason;
  if (values.length === 0) throw new OfflineError();
  return values;
}

/** Turns a flat reply of names and values into a map. */
export function pairs(reply: unknown): Map<string, string> {
  return new Map(pairsOf(Array.isArray(reply) ? reply.map(String) : []));
}
