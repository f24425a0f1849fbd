import { refuse } from "../../contract/arguments.js";
import { ConnectError, problemOf, remedyOf } from "../../errors/connect-error.js";
import { isError } from "../../errors/is-error.js";
import { hostText } from "../address.js";
import { connectError, mayPassSoon } from "../connect-error.js";
import { HOME, type Place } from "../place.js";
import type { NodeAddress } from "./slots.js";

/** Nodes that an error names. */
const MOST_NAMED = 3;

/** Explains why the node that holds a slot cannot be used. @param cluster address, for a slot that no node holds */
export function nodeProblem({ server, slot, error, isHome }: Place, cluster: string): ConnectError {
  if (server === undefined) {
    const explanation = `no node holds slot ${slot}; \`valkey-cli --cluster fix\` with the address of a node assigns it`;
    return new ConnectError(cluster, "cluster", { slot, explanation });
  }
  const besides = isHome === true ? HOME : "";
  if (error === undefined) return new ConnectError(server, "timeout", { slot, besides });
  const { reason, detail } = error instanceof ConnectError ? error : connectError(server, [error]);
  return new ConnectError(server, reason, { detail, slot, besides });
}

/** Explains that the servers are not a cluster yet. */
export function noSlots(cluster: string, seeds: readonly NodeAddress[]): ConnectError {
  const hosts = seeds.map(({ host, port }) => hostText(host, port));
  // A cluster needs three primaries. With six servers, each has a replica.
  const others = ["HOST2:PORT", "HOST3:PORT"].slice(hosts.length - 1);
  const create = `valkey-cli --cluster create ${[...hosts, ...others].join(" ")} --cluster-replicas ${hosts.length < 6 ? 0 : 1}`;
  const explanation = `no slots are assigned: the servers do not form a cluster yet; join them with \`${create}\``;
  return new ConnectError(cluster, "cluster", { explanation });
}

/**
 * Explains why none of the named nodes can be used.
 *
 * @param errors one for each node
 * @returns the error of one node if it says the same for all, and a retry cannot help
 */
export function seedsProblem(
  cluster: string,
  seeds: readonly NodeAddress[],
  errors: readonly unknown[],
): unknown {
  const failures = errors.filter((error) => error instanceof ConnectError);
  const [first] = failures;
  if (first === undefined || failures.length < errors.length)
    return errors.find((error) => !(error instanceof ConnectError));
  const lasting = failures.find((failure) => !mayPassSoon(failure));
  if (lasting !== undefined && failures.every(({ reason }) => reason === lasting.reason)) return first;
  const named = failures.slice(0, MOST_NAMED).map(({ reason }, at) => {
    const { host, port } = seeds[at] ?? { host: "", port: 0 };
    return `${hostText(host, port)} (${problemOf(reason)})`;
  });
  const more = failures.length > named.length ? ` and ${failures.length - named.length} more` : "";
  const remedy = lasting === undefined ? "start one of them, or correct the URL" : remedyOf(lasting.reason);
  const { reason, detail } = lasting ?? first;
  return new ConnectError(cluster, reason, {
    explanation: `none of the named nodes can be used: ${named.join(", ")}${more}; ${remedy}`,
    detail,
  });
}

/** Explains the failure of the first question to a node. @throws always */
export function notNode(error: unknown, address: string): never {
  if (isError(error) && error.message.includes("cluster support disabled"))
    refuse(`${address}: the server is not a node of a cluster; write its URL as valkey://host:port`);
  throw connectError(address, [error]);
}
