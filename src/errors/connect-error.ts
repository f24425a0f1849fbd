import { LatchkeyError } from "./latchkey-error.js";

/** Reason why a server cannot be used. */
export type ConnectCause =
  | "refused"
  | "not-found"
  | "timeout"
  | "auth"
  | "permission"
  | "database"
  | "tls"
  | "tls-untrusted"
  | "tls-name"
  | "tls-expired"
  | "tls-client"
  | "tls-missing"
  | "tls-required"
  | "protocol"
  | "loading"
  | "busy"
  | "maxclients"
  | "sentinel"
  | "primary"
  | "cluster"
  | "socket"
  | "closed";

const EXPLANATIONS: Record<ConnectCause, string> = {
  refused: "connection refused: no server listens there; start the server, or correct the URL",
  "not-found": "unknown host name; correct the URL",
  timeout:
    "no reply in time; check host, port and firewall, and that the server is neither paused nor loading its data",
  auth: "authentication failed; correct user and password",
  permission: "permission denied; `latchkey acl --role ROLE` prints the ACL line of a role",
  database: "the server has no database of that number; correct the number",
  tls: "the TLS handshake failed; check that client and server have a TLS version and a cipher in common, and whether the server requires a client certificate",
  "tls-untrusted":
    "the server's certificate was not issued by a trusted authority; name the file with the authority's certificate: option tls.caFile, --tls-ca-file or LATCHKEY_TLS_CA_FILE",
  "tls-name":
    "the server's certificate is for another name; correct the host, or name the server in option tls.servername, --tls-server-name or LATCHKEY_TLS_SERVER_NAME",
  "tls-expired":
    "the server's certificate has expired or is not valid yet; renew it, or correct the clock of this host",
  "tls-client":
    "the server requires a client certificate that it trusts; name its files: options tls.certFile and tls.keyFile, --tls-cert-file and --tls-key-file, or LATCHKEY_TLS_CERT_FILE and LATCHKEY_TLS_KEY_FILE",
  "tls-missing":
    "the server does not use TLS on this port; correct the port, or write valkey instead of valkeys in the URL",
  "tls-required": "the server uses TLS on this port; write valkeys instead of valkey in the URL",
  protocol: "the reply is not in the Valkey protocol; correct host and port",
  loading: "the server is still loading its data; try again soon",
  busy: "the server is running a slow script; wait for its end, or end it with `valkey-cli SCRIPT KILL`",
  maxclients: "the server accepts no more clients: close unused ones, or raise its maxclients",
  sentinel: "no Sentinel names a primary; correct the hosts and ports, the name, or the credentials",
  primary:
    "the Sentinels name a primary that this host cannot reach; check the network and the address that it announces (replica-announce-ip), or map it in a program with the option sentinel.natMap",
  cluster:
    "no node of the cluster holds the slot of this namespace; run `valkey-cli --cluster check` with the address of a node",
  socket: "no connection to this socket; check its path and permissions, and that a server listens on it",
  closed: "the server closed the connection; check host and port, and the log of the server",
};

/** Advice for a node of a cluster. Its address is known from other nodes, and a replica may replace it. */
const NODE_IS_AWAY =
  "start the node or wait for a replica to replace it; if it runs, check the network and the address that it announces (cluster-announce-ip), or map it in a program with the option cluster.natMap";
const USERS = "Valkey does not distribute users: create the user on every node";

/** Explanations for a node of a cluster. */
const OF_NODE: Partial<Record<ConnectCause, string>> = {
  refused: `connection refused; ${NODE_IS_AWAY}`,
  "not-found": `unknown host name; ${NODE_IS_AWAY}`,
  timeout: `no reply in time; ${NODE_IS_AWAY}`,
  closed: `the server closed the connection; ${NODE_IS_AWAY}`,
  auth: `${EXPLANATIONS.auth}; ${USERS}`,
  permission: `${EXPLANATIONS.permission}; ${USERS}`,
};

/** Returns the problem in a few words. @example problemOf("auth"); // "authentication failed" */
export function problemOf(reason: ConnectCause): string {
  return EXPLANATIONS[reason].split(/[:;] /, 1)[0] ?? "";
}

/** Returns what to do. @example remedyOf("auth"); // "correct user and password" */
export function remedyOf(reason: ConnectCause): string {
  return EXPLANATIONS[reason].slice(problemOf(reason).length + 2);
}

/** Details of a ConnectError. */
export interface ConnectDetails {
  /** Codes of the server or the operating system, for the end of the message. */
  readonly detail?: string;
  /** The server that the Sentinels named as the primary. */
  readonly primary?: string;
  /** Slot that the node of a cluster holds. */
  readonly slot?: number | undefined;
  /** Further data of the node, for the message. */
  readonly besides?: string;
  /** Explanation to use instead of that of the reason. */
  readonly explanation?: string;
}

/** The server cannot be used. `code` is `"UNREACHABLE"`. */
export class ConnectError extends LatchkeyError {
  override readonly name = "ConnectError";
  /** The server, without credentials. */
  readonly address: string;
  readonly reason: ConnectCause;
  /** The server that the Sentinels named as the primary. */
  declare readonly primary?: string;
  /** The slot of the call, if a node of a cluster cannot be used. */
  declare readonly slot?: number;
  /** Codes of the server or the operating system, such as `"ECONNREFUSED"` or `"WRONGPASS"`; empty if there is none. */
  readonly detail: string;

  constructor(
    address: string,
    reason: ConnectCause,
    { detail = "", primary, slot, besides = "", explanation }: ConnectDetails = {},
  ) {
    const server = [address, ...(primary === undefined ? [] : [`primary ${primary}`])];
    if (slot !== undefined) server.push(`which holds slot ${slot}${besides}`);
    const ofNode = slot === undefined ? undefined : OF_NODE[reason];
    const why = explanation ?? ofNode ?? EXPLANATIONS[reason];
    super(
      "UNREACHABLE",
      `cannot use Valkey at ${server.join(", ")}: ${why}${detail === "" ? "" : ` (${detail})`}`,
    );
    this.address = address;
    this.reason = reason;
    this.detail = detail;
    if (primary !== undefined) this.primary = primary;
    if (slot !== undefined) this.slot = slot;
  }
}
