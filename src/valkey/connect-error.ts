/** Why a server could not be used. */
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
  | "closed"
  | "ended";

const EXPLANATIONS: Record<ConnectCause, string> = {
  refused: "connection refused; start a server with `latchkey dev` or correct the URL",
  "not-found": "unknown host; correct the URL",
  timeout: "no reply in time; check the host, the port, the firewall and the server",
  auth: "authentication failed; correct the user or the password",
  permission: "permission denied; `latchkey doctor` prints the ACL rules that are needed",
  database: "the database does not exist; correct the number in the URL",
  tls: "TLS handshake failed; check valkey:// or valkeys://, the port and the certificates",
  protocol: "not a Valkey server; correct the host and the port",
  loading: "the server is loading its data; try again later",
  busy: "the server is running a slow script; wait, or stop it with `valkey-cli SCRIPT KILL`",
  sentinel: "no Sentinel knows this primary; correct the hosts, the ports, the name or the credentials",
  closed: "the server closed the connection; if it speaks TLS, write valkeys:// instead of valkey://",
  ended: "this client was closed; connect again",
};

/** No working connection to the server could be made. `code` is `"UNREACHABLE"`. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly code = "UNREACHABLE";
  /** The server, without credentials. */
  readonly address: string;
  readonly reason: ConnectCause;

  constructor(address: string, reason: ConnectCause, detail = "") {
    super(`cannot use Valkey at ${address}: ${EXPLANATIONS[reason]}${detail === "" ? "" : ` (${detail})`}`);
    this.address = address;
    this.reason = reason;
  }
}

/** What trying again soon would not change. */
const LASTING: ReadonlySet<ConnectCause> = new Set([
  "auth",
  "permission",
  "database",
  "tls",
  "protocol",
  "ended",
]);

/** True where it may go better if it is tried again. */
export function mayPassSoon({ reason }: ConnectError): boolean {
  return !LASTING.has(reason);
}

/** Finds out why connecting failed, from the errors the client gave, first one first. */
export function connectError(address: string, errors: readonly unknown[]): ConnectError {
  for (const error of errors) {
    const reason = causeOf(error);
    if (reason !== undefined) return new ConnectError(address, reason, detailOf(error));
  }
  return new ConnectError(address, "closed");
}

function causeOf(error: unknown): ConnectCause | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error ? String(error.code) : "";
  const text = error.message;
  if (text.startsWith("All sentinels are unreachable")) return "sentinel";
  if (code === "ECONNREFUSED") return "refused";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "not-found";
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH") return "timeout";
  if (/^(NOAUTH|WRONGPASS)\b/.test(text) || /invalid password/i.test(text)) return "auth";
  if (/^(NOPERM|DENIED)\b/.test(text)) return "permission";
  if (/DB index is out of range|SELECT is not allowed/.test(text)) return "database";
  if (/^LOADING\b/.test(text) || /loading the dataset/i.test(text)) return "loading";
  if (/^BUSY\b/.test(text)) return "busy";
  if (code === "EPROTO" || /^ERR_(SSL|TLS)/.test(code) || /certificate|self.signed|SSL|TLS/i.test(text))
    return "tls";
  if (/^Protocol error/.test(text) || error.name === "ParserError") return "protocol";
  if (/timed out|timeout/i.test(text)) return "timeout";
  if (code === "ECONNRESET" || code === "EPIPE") return "closed";
  return undefined;
}

/** The short code of an error, where it has one: texts may quote what was sent. */
function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return /^[A-Z]{4,}\b/.exec(error.message)?.[0] ?? "";
}
