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
  | "sentinel"
  | "closed";

const EXPLANATIONS: Record<ConnectCause, string> = {
  refused:
    "connection refused: no server listens there; start a server with `latchkey dev`, or correct the URL",
  "not-found": "unknown host name; correct the URL",
  timeout:
    "no reply in time; check host, port and firewall, and that the server is neither paused nor loading its data",
  auth: "authentication failed; correct user and password",
  permission: "permission denied; see the ACL lines in the documentation",
  database: "the server has no database of that number; correct the URL",
  tls: "the TLS handshake failed; check valkey:// against valkeys://, the port, and the certificates",
  protocol: "the reply is not in the Valkey protocol; correct host and port",
  loading: "the server is still loading its data; try again soon",
  busy: "the server is running a slow script; wait for its end, or end it with `valkey-cli SCRIPT KILL`",
  sentinel:
    "no Sentinel knows a primary of that name; correct the hosts and ports, the name, or the credentials",
  closed: "the server closed the connection; if it uses TLS, write valkeys:// instead of valkey://",
};

/** The server cannot be used. `code` is `"UNREACHABLE"`. */
export class ConnectError extends LatchkeyError {
  override readonly name = "ConnectError";
  /** The server, without credentials. */
  readonly address: string;
  readonly reason: ConnectCause;

  constructor(address: string, reason: ConnectCause, detail = "") {
    super(
      "UNREACHABLE",
      `cannot use Valkey at ${address}: ${EXPLANATIONS[reason]}${detail === "" ? "" : ` (${detail})`}`,
    );
    this.address = address;
    this.reason = reason;
  }
}
