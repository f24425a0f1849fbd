import type { Valkey } from "iovalkey";
import { ConnectError, problemOf } from "../errors/connect-error.js";
import { hostText } from "../valkey/address.js";
import type { NodeAddress } from "../valkey/cluster/slots.js";
import type { View } from "../valkey/cluster/view.js";
import { connectError } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline, TimeUpError } from "../valkey/deadline.js";
import { hangUp } from "../valkey/open-clients.js";
import type { Reports } from "./node-states.js";

/** A node of a cluster: with a context if it replies, else with the reason. */
export interface Member<C> {
  /** `host:port` */
  readonly name: string;
  /** True if some node reports that it holds slots. */
  readonly isPrimary: boolean;
  readonly context?: C;
  readonly error?: ConnectError;
}

/** The connected servers of a cluster, and the way to its other nodes. */
interface Source<C> {
  readonly connection: Pick<Connection, "timeoutMs" | "beforeClose" | "place">;
  servers(): Promise<readonly C[]>;
  views(): Promise<readonly { readonly view: View }[]>;
  reports(): Promise<readonly Reports[]>;
  clientTo(address: NodeAddress): Promise<Valkey>;
  contextOf(client: Valkey, name: string): Promise<C>;
}

/** Connects to each node that some node of the cluster knows, replicas and failed nodes included. */
export async function findMembers<C extends { readonly name: string }>(
  source: Source<C>,
): Promise<readonly Member<C>[]> {
  const servers = await source.servers();
  const addresses = new Map<string, NodeAddress>();
  const primaries = new Set<string>();
  const add = (address: NodeAddress | undefined): void => {
    if (address !== undefined) addresses.set(hostText(address.host, address.port), address);
  };
  // The checks of the slots and of the moves report an error of these.
  for (const { view } of await source.views().catch(() => [])) {
    for (const name of view.map.primaries.keys()) primaries.add(name);
    for (const address of [...view.map.primaries.values(), ...[...view.map.replicas.values()].flat()])
      add(address);
  }
  for (const { nodes } of await source.reports().catch(() => []))
    for (const { address } of nodes) add(address);
  // The connection has waited for these already.
  const away = new Map(
    (source.connection.place.away ?? []).flatMap(({ server = "", error }) =>
      error instanceof ConnectError ? [[server.replace(/^.*\/\//, ""), error] as const] : [],
    ),
  );
  return Promise.all(
    [...addresses].map(async ([name, address]): Promise<Member<C>> => {
      const context = servers.find((server) => server.name === name);
      const isPrimary = primaries.has(name);
      if (context !== undefined) return { name, isPrimary, context };
      const error = away.get(name);
      return error === undefined ? reach(source, address, isPrimary) : { name, isPrimary, error };
    }),
  );
}

/** Connects to a node with the settings of the cluster's connection. */
export async function reach<C>(
  source: Source<C>,
  address: NodeAddress,
  isPrimary = false,
): Promise<Member<C>> {
  const name = hostText(address.host, address.port);
  const client = await source.clientTo(address);
  const errors: unknown[] = [];
  client.on("error", (error) => errors.push(error));
  source.connection.beforeClose(async () => hangUp(client));
  try {
    await connectInTime(client, source.connection.timeoutMs);
    // The client becomes ready despite a wrong password, as the user `default`.
    if (errors.length > 0) throw errors[0];
    return { name, isPrimary, context: await source.contextOf(client, name) };
  } catch (error) {
    hangUp(client);
    client.stream?.destroy(); // a frozen server keeps it open
    return { name, isPrimary, error: connectError(`valkey://${name}`, [...errors, error]) };
  }
}

async function connectInTime(client: Valkey, limitMs: number): Promise<void> {
  try {
    await Deadline.in(limitMs).race(client.connect());
  } catch (error) {
    throw error instanceof TimeUpError ? new Error("connect timed out") : error;
  }
}

/** Returns the reason why a node does not reply, in a few words: `connection refused (ECONNREFUSED)`. */
export function reasonText({ reason, detail }: ConnectError): string {
  return detail === "" ? problemOf(reason) : `${problemOf(reason)} (${detail})`;
}
