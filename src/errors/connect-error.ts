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
  | "protocol"
  | "loading"
  | "busy"
  | "maxclients"
  | "sentinel"
  | "primary"
  | "socket"
  | "closed";

const EXPLANATIONS: Record<ConnectCause, string> = {
  refused:
    "connection refused: no server listens there; start a server with `latchkey dev`, or correct the URL",
  "not-found": "unknown host name; correct the URL",
  timeout:
    "no reply in time; check host, port and firewall, and that the server is neither paused nor loading its data",
  auth: "authentication failed; correct user and password",
  permission: "permission denied; `latchkey doctor` prints the ACL line that the user needs",
  database: "the server has no database of that number; correct the number",
  tls: "the TLS handshake failed; check valkey:// against valkeys://, the port, and the certificates",
  protocol: "the reply is not in the Valkey protocol; correct host and port",
  loading: "the server is still loading its data; try again soon",
  busy: "the server is running a slow script; wait for its end, or end it with `valkey-cli SCRIPT KILL`",
  maxclients: "the server accepts no more clients: close unused ones, or raise its maxclients",
  sentinel: "no Sentinel names a primary; correct the hosts and ports, the name, or the credentials",
  primary:
    "the Sentinels name a primary that this host cannot reach; check the network, or map its address with the option sentinel.natMap",
  socket: "no connection to this socket; check its path and permissions, and that a server listens on it",
  closed: "the server closed the connection; if it uses TLS, write valkeys:// instead of valkey://",
};

/** The server cannot be used. `code` is `"UNREACHABLE"`. */
export class ConnectError extends LatchkeyError {
  override readonly name = "ConnectError";
  /** The server, without credentials. */
  readonly address: string;
  readonly reason: ConnectCause;
  /** The server that the Sentinels named as the primary. */
  declare readonly primary?: string;

  constructor(address: string, reason: ConnectCause, detail = "", primary?: string) {
    const server = primary === undefined ? address : `${address}, primary ${primary}`;
    super(
      "UNREACHABLE",
      `cannot use Valkey at ${server}: ${EXPLANATIONS[reason]}${detail === "" ? "" : ` (${detail})`}`,
    );
    this.address = address;
    this.reason = reason;
    if (primary !== undefined) this.primary = primary;
  }
}
