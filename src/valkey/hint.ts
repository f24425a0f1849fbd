import { ConnectError, problemOf } from "../errors/connect-error.js";
import { nodeProblem } from "./cluster/node-problem.js";
import { connectError, mayPassSoon } from "./connect-error.js";
import { TimeUpError } from "./deadline.js";
import { isLoss, isOffline, OfflineError, replyCode, safeMessage, senderOf } from "./failure.js";
import { missingPermission } from "./permission.js";
import { type Place, placeText } from "./place.js";

/** Texts of error replies that the server gives before it executes anything. */
const HINTS = new Map([
  ["OOM", "the server is out of memory"],
  ["READONLY", "the server is a replica"],
  ["NOAUTH", "the server requires authentication; give a user and a password"],
  ["BUSY", "the server is running a slow script"],
  ["LOADING", "the server is loading its data"],
  ["MISCONF", "the server cannot save its data"],
  ["NOREPLICAS", "too few replicas are connected to the server"],
  ["MASTERDOWN", "the server is a replica without its primary"],
  [
    "MOVED",
    "another node of the cluster holds the key; pass a URL or the option cluster instead of `client`",
  ],
  ["TRYAGAIN", "the slot of the key is moving to another node of the cluster"],
  ["ASK", "the slot of the key is moving to another node of the cluster"],
  ["CLUSTERDOWN", "the cluster does not serve the key now"],
  ["WRONGTYPE", "wrong key type: not written by latchkey"],
]);

/** Nodes without a connection that an error names. */
const MOST_NAMED = 3;

/**
 * Explains why a call got no reply, or an error reply. In a cluster it names the node.
 *
 * @param place the server that was asked
 * @param role role that has the permissions of the call, if only one has them
 */
export function hint(error: unknown, place: Place, role?: string): string {
  const at = placeOf(error, place);
  const isCluster = at.slot !== undefined || at !== place;
  const text = safeMessage(error);
  const missing = missingPermission(text);
  if (missing !== undefined) {
    const where = isCluster ? `at ${at.server} ` : "";
    const nodes = isCluster ? ", which every node needs" : "";
    const line =
      role === undefined
        ? "; `latchkey acl --role ROLE` prints the ACL line of a role"
        : `, which the role ${role} has; \`latchkey acl --role ${role}\` prints its ACL line`;
    return `${where}${missing.text}${line}${nodes} (${missing.code})`;
  }
  const code = replyCode(error);
  const known = (isCluster ? slotText(code, at) : undefined) ?? HINTS.get(code);
  if (known !== undefined)
    return `${isCluster ? known.replace("the server", at.server ?? "a node") : known} (${text})`;
  if (isOffline(error)) return offlineText(at);
  if (error instanceof TimeUpError) return `no reply in time from ${placeText(at)}`;
  if (isLoss(error)) return `lost the connection to ${placeText(at)}`;
  return isCluster && code !== "" ? `${at.server} replied ${text}` : text;
}

/** Returns the server that failed, which can be another one than that of the call: a call can use several. */
function placeOf(error: unknown, place: Place): Place {
  if (error instanceof OfflineError) return error.place ?? place;
  const sender = senderOf(error);
  if (sender === undefined || sender === place.server) return place;
  // The node that receives a slot replies so until it has all keys of the call.
  if (place.slot !== undefined && replyCode(error) === "TRYAGAIN") return { ...place, receiver: sender };
  return { server: sender };
}

/** Explains error replies about a slot; undefined for others. */
function slotText(code: string, { server = "a node", slot, receiver, away = [] }: Place): string | undefined {
  const what = slot === undefined ? "a slot" : `slot ${slot}`;
  if (code === "MOVED") return `${server} replies that another node holds ${what}`;
  if (code !== "CLUSTERDOWN" && code !== "TRYAGAIN" && code !== "ASK") return undefined;
  if (code !== "CLUSTERDOWN") {
    const address = server.replace(/^.*:\/\//, "");
    return `${what} is moving from ${server} to ${receiver ?? "another node"}; if the move has stopped, run \`valkey-cli --cluster fix ${address}\``;
  }
  const named = away.slice(0, MOST_NAMED).map(offlineText);
  const more = away.length > named.length ? [`not connected to ${away.length - named.length} more`] : [];
  return [`${server} does not serve ${what}`, ...named, ...more].join("; ");
}

/** Names the cause, and what to do if it does not pass, such as a certificate that has expired. */
function offlineText(place: Place): string {
  const { server = "", slot, error } = place;
  const failure = error instanceof ConnectError ? error : connectError(server, [error]);
  if (!mayPassSoon(failure)) return (slot === undefined ? failure : nodeProblem(place, server)).message;
  const isKnown = error !== undefined && failure.reason !== "closed";
  return `not connected to ${placeText(place)}${isKnown ? `: ${problemOf(failure.reason)}` : ""}`;
}
