import {
  checkDuration,
  checkObject,
  checkOptions,
  checkTypes,
  checkWhole,
  refuse,
  shortText,
} from "../contract/arguments.js";
import { checkDurability, type DurabilityNeed } from "../contract/durability.js";
import {
  type ConnectionOptions,
  clusterOptions,
  DEFAULT_NAMESPACE,
  type SentinelOptions,
} from "./connection-options.js";

import { currentActor } from "./default-actor.js";
import { silentLogger } from "./logger.js";
import { checkTls } from "./tls-options.js";

/** Rejects a database that would share its channels with another one. */
export function checkDatabase(database: number, namespace: string | undefined): void {
  if (database === 0 || namespace !== DEFAULT_NAMESPACE) return;
  refuse(
    `database ${database} cannot be used with the namespace "${namespace}": publish/subscribe ignores databases, so two ` +
      "applications would receive each other's events; use a namespace of your own (option namespace, --namespace or " +
      "LATCHKEY_NAMESPACE)",
  );
}

/** Checks the options for Sentinels. */
function checkSentinel(sentinel: SentinelOptions): void {
  checkOptions(sentinel, ["username", "password", "natMap"], "sentinel");
  const { username, password, natMap } = sentinel;
  checkTypes("string", { "sentinel.username": username, "sentinel.password": password });
  checkNatMap("sentinel.natMap", natMap, "Sentinels");
}

/** Checks the options for a cluster. */
function checkCluster(cluster: NonNullable<ConnectionOptions["cluster"]>, url: string | undefined): void {
  const isList = Array.isArray(cluster);
  const name = isList ? "cluster" : "cluster.nodes";
  const options = clusterOptions(cluster);
  checkOptions(options, ["nodes", "natMap"], "cluster");
  const { nodes, natMap } = options;
  if (nodes !== undefined && url !== undefined) refuse(`${name} and url exclude each other; use one of them`);
  const isValid = Array.isArray(nodes) && nodes.length > 0 && nodes.every((node) => typeof node === "string");
  if (nodes !== undefined && !isValid)
    refuse(`${name} must be a list of addresses such as ["10.0.0.1:6379"], not ${shortText(nodes)}`);
  checkNatMap("cluster.natMap", natMap, "nodes");
}

function checkNatMap(option: string, natMap: SentinelOptions["natMap"] = {}, namers: string): void {
  checkObject(option, natMap, " of addresses");
  for (const [named, to] of Object.entries(natMap)) {
    const name = `${option}["${named}"]`;
    if (!/^.+:\d+$/.test(named))
      refuse(`${name}: the name must be host:port, as the ${namers} name the server`);
    checkObject(name, to, " (of host, port)");
    checkOptions(to, ["host", "port"], name);
    if (typeof to.host !== "string" || to.host === "") refuse(`${name}.host must be the name of a host`);
    checkWhole(`${name}.port`, to.port, 1, 65_535);
  }
}

/** Names that CLIENT SETNAME accepts: printable ASCII without spaces. */
const CONNECTION_NAME = /^[!-~]+$/;

const DEFAULT_TIMEOUT_MS = 5_000;

/** Defaults of all calls. */
export interface CallDefaults {
  readonly maxInFlight: number;
  readonly timeoutMs: number;
  readonly durability: DurabilityNeed;
  /** Returns the actor of a change whose call names none. */
  readonly actor: () => string | undefined;
}

/** The longest timer of Node, less the second that connecting adds. */
const LONGEST_MS = 2_147_000_000;

/** Checks the options of a connection. @throws ContractError with code BADARG if one is invalid */
export function checkConnection({
  url,
  username,
  password,
  connectionName,
  ...others
}: ConnectionOptions): void {
  if (typeof url === "object" && url !== null)
    refuse("url must be text, not an object; write url.href for a URL object");
  checkTypes("string", { url, username, password, connectionName });
  const { sentinel, cluster, database, tls } = others;
  checkTypes("object", { sentinel, cluster, tls });
  if (connectionName !== undefined && !CONNECTION_NAME.test(connectionName))
    refuse(
      `connectionName must be 1 or more letters, digits or characters such as - _ . : @ /, without spaces, not ${shortText(connectionName)}`,
    );
  if (sentinel !== undefined) checkSentinel(sentinel);
  if (cluster !== undefined) checkCluster(cluster, url);
  if (tls !== undefined) checkTls(tls);
  if (database !== undefined) checkWhole("database", database, 0, 99_999);
}

/** Checks the options that are defaults of all calls, and returns them. @throws ContractError with code BADARG */
export function callDefaults({
  timeout = DEFAULT_TIMEOUT_MS,
  durability = "memory",
  maxInFlight,
  actor,
  logger = silentLogger,
  ...limits
}: ConnectionOptions): CallDefaults {
  for (const name of ["connectTimeoutMs", "silenceTimeoutMs"] as const) {
    const ms = limits[name];
    if (ms !== undefined) checkWhole(name, ms, 1, LONGEST_MS);
  }
  if (maxInFlight !== undefined) checkWhole("maxInFlight", maxInFlight, 1);
  return {
    maxInFlight: maxInFlight ?? Number.POSITIVE_INFINITY,
    timeoutMs: checkDuration("timeout", timeout),
    durability: checkDurability(durability),
    actor: currentActor(actor, logger),
  };
}
