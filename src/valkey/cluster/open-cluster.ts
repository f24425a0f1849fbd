import type { Valkey } from "iovalkey";
import { refuse } from "../../contract/arguments.js";
import { ConnectError } from "../../errors/connect-error.js";
import { type Address, addressText } from "../address.js";
import type { Connection } from "../connection.js";
import type { CallDefaults } from "../connection-checks.js";
import {
  type ConnectionOptions,
  clusterOptions,
  DEFAULT_CONNECTION_NAME,
  DEFAULT_SILENCE_MS,
  REPLICA,
  settingsFor,
  settingsOfPurpose,
} from "../connection-options.js";
import { Deadline } from "../deadline.js";
import { dial } from "../dial.js";
import { OfflineError } from "../failure.js";
import { metaKey } from "../keys.js";
import type { Logger } from "../logger.js";
import { OpenClients } from "../open-clients.js";
import { serverConnection } from "../server-connection.js";
import { ONE_DATABASE } from "../server-url.js";
import { Cluster, type ClusterSource } from "./cluster.js";
import type { NodeLink } from "./node.js";
import { nodeProblem, noSlots, notNode, seedsProblem } from "./node-problem.js";
import { watchRedirections } from "./redirections.js";
import type { NodeAddress } from "./slots.js";
import { readView, type View } from "./view.js";

/**
 * Connects to a cluster: reads the map of slots from the first of its nodes that replies, and connects to all primaries.
 *
 * @returns the connection of calls that concern no partition
 * @throws ConnectError if no node replies in time, or the server that holds the facts of the namespace cannot be reached
 * @throws ContractError if a server is not a node of a cluster, or the address has a database
 */
export async function openCluster(
  address: Address,
  options: ConnectionOptions & { readonly namespace: string; readonly isPartial?: boolean },
  logger: Logger,
  defaults: CallDefaults,
  limitMs: number,
): Promise<Connection> {
  if (address.database !== 0) refuse(ONE_DATABASE);
  const { namespace } = options;
  const { natMap } = clusterOptions(options.cluster);
  const seeds = address.cluster ?? [address];
  const { cluster: _nodes, ...base } = address;
  // One for all nodes, so that files of certificates are read once for each connection.
  const common = {
    ...settingsFor({ ...base, ...seeds[0] }, options),
    ...(natMap !== undefined && { natMap: { ...natMap } }),
  };
  const logged = new Map<string, Set<string>>();
  const at = ({ host, port }: NodeAddress) => {
    const text = addressText({ ...base, host, port });
    const errors = logged.get(text) ?? new Set();
    logged.set(text, errors);
    return { text, settings: { ...common, host, port }, errors };
  };
  const deadline = Deadline.in(limitMs);
  const text = addressText({ ...address, cluster: seeds });

  const askSeed = async (seed: NodeAddress, mostMs: number, opened: OpenClients): Promise<View> => {
    const client = await opened.open("", seed);
    try {
      return await Deadline.in(mostMs).race(readView(client));
    } catch (error) {
      return notNode(error, at(seed).text);
    }
  };
  let seeding: OpenClients | undefined;
  const askSeeds = async (mostMs = limitMs): Promise<View> => {
    const opened = new OpenClients((_, onDial, place) => {
      const { text, settings, errors } = at(place as NodeAddress);
      return dial(settings, text, mostMs, logger, onDial, errors);
    });
    seeding = opened;
    try {
      return await Promise.any(seeds.map((seed) => askSeed(seed, mostMs, opened)));
    } catch (error) {
      throw error instanceof AggregateError ? seedsProblem(text, seeds, error.errors) : error;
    } finally {
      opened.close(); // the others may not reply for long
    }
  };
  const link = (node: NodeAddress, cluster: Cluster): NodeLink => {
    const { text, settings, errors } = at(node);
    const watch = (client: Valkey): void =>
      watchRedirections(client, text, {
        onMoved: (to) => cluster.onMoved(to),
        onOutdated: () => cluster.onOutdated(),
        asking: async (to) => (await cluster.receiverFor(to)).client,
      });
    const opened = new OpenClients((purpose, onDial, place) => {
      const own = { ...settingsOfPurpose(settings, purpose), ...place };
      const prepare = (client: Valkey): void => {
        // A replica's view of the slots can be outdated: the primaries decide.
        if (purpose !== REPLICA) watch(client);
        onDial(client);
      };
      return dial(own, text, limitMs, logger, prepare, errors);
    });
    return {
      text,
      connect: async () => serverConnection(await opened.open(""), text, logger, defaults, opened),
      close: () => opened.close(new ConnectError(text, "closed")),
    };
  };

  const source: ClusterSource = {
    settings: {
      address: text,
      logger,
      connectionName: options.connectionName ?? DEFAULT_CONNECTION_NAME,
      silenceMs: options.silenceTimeoutMs ?? DEFAULT_SILENCE_MS,
      ...defaults,
    },
    home: metaKey(namespace),
    natMap,
    link,
    askSeeds,
    close: () => seeding?.close(),
  };
  const view = await askSeeds(deadline.remainingMs);
  const cluster = new Cluster(source, view);
  const root = cluster.root();
  if (options.isPartial === true && (await cluster.reachableServers()).length > 0) return root;
  try {
    await root.untilReady(deadline);
    return root;
  } catch (error) {
    const { place } = root;
    await cluster.close();
    if (!(error instanceof OfflineError)) throw error;
    const isFormed = place.server !== undefined || view.map.primaries.size > 0;
    throw isFormed ? nodeProblem(place, text) : noSlots(text, seeds);
  }
}
