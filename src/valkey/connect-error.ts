import { codeOf } from "../errors/code-of.js";
import { type ConnectCause, ConnectError } from "../errors/connect-error.js";
import { isError } from "../errors/is-error.js";
import { hostText } from "./address.js";
import { DEFAULT_URL } from "./connection-options.js";
import { missingPermission } from "./permission.js";
import type { SentinelTrace } from "./sentinel-connector.js";
import { tlsCause, tlsDetail } from "./tls-cause.js";

/** Reasons that a retry does not change. */
const LASTING: readonly ConnectCause[] = ["auth", "permission", "database", "protocol"];

/** Returns whether a retry may succeed. */
export function mayPassSoon({ reason }: Pick<ConnectError, "reason">): boolean {
  return !LASTING.includes(reason) && !isTls(reason);
}

/** Returns whether an attempt to connect failed for a reason that does not pass, for example because the server lacks the user. */
export function isLastingFailure(error: unknown): boolean {
  const reason = error instanceof ConnectError ? error.reason : connectCause(error);
  return reason !== undefined && !mayPassSoon({ reason });
}

function isTls(reason: ConnectCause): boolean {
  return reason.startsWith("tls");
}

/** Text of an error: the server did not answer the first message of TLS. */
export const HANDSHAKE_TIMED_OUT = "TLS handshake timed out";

/** The default address, where a developer without a URL expects a server. */
const LOCAL = [DEFAULT_URL, DEFAULT_URL.replace("127.0.0.1", "localhost")];
const START_LOCAL =
  "connection refused: no server listens there; start one with `latchkey dev --port 6379`, or give a URL";

/** Causes that mean that no server was reached. */
const UNREACHED: readonly ConnectCause[] = ["refused", "not-found", "timeout", "closed"];

/** Finds the cause of a failed connection in the client's errors, the first one first, and in the Sentinels' replies. */
export function connectError(
  address: string,
  errors: readonly unknown[],
  { primary, sentinel, error: ofSentinel }: SentinelTrace = {},
): ConnectError {
  const error = errors.find((one) => connectCause(one) !== undefined);
  const cause = connectCause(error) ?? "closed";
  if (cause === "sentinel") {
    // A Sentinel that is reached, but not trusted, is not a wrong address.
    if (tlsCause(ofSentinel) !== undefined)
      return connectError(address, [ofSentinel], { ...(sentinel && { sentinel }) });
    return new ConnectError(address, cause, { detail: detailOf(ofSentinel ?? error) });
  }
  const detail = detailOf(error);
  if (primary !== undefined) {
    const reason = UNREACHED.includes(cause) ? "primary" : cause;
    return new ConnectError(address, reason, { detail, primary: hostText(primary.host, primary.port) });
  }
  const isLocal = cause === "refused" && LOCAL.includes(address);
  const node = sentinel === undefined ? [] : [`Sentinel ${hostText(sentinel.host, sentinel.port)}`];
  return new ConnectError(address, cause, {
    detail: [...node, ...(detail === "" ? [] : [detail])].join(": "),
    ...(isLocal && { explanation: START_LOCAL }),
  });
}

/** Returns true if the errors do not name their cause, which may be TLS. */
export function mayHideTls(errors: readonly unknown[], { error: ofSentinel }: SentinelTrace = {}): boolean {
  const error = errors.find((one) => connectCause(one) !== undefined);
  const cause = connectCause(error) ?? "closed";
  if (cause !== "sentinel") return cause === "closed" || ALERT.test((error as Error).message);
  return ofSentinel === undefined
    ? CLOSED.test((error as Error).message)
    : connectCause(ofSentinel) === "closed";
}

/** Texts of the client: it received an alert of TLS; a server closed the connection. */
const ALERT = /^Protocol error, got "\\u0015"/;
const CLOSED = /Connection is closed\.$/;

function connectCause(error: unknown): ConnectCause | undefined {
  if (!isError(error)) return undefined;
  const code = codeOf(error);
  const text = error.message;
  if ("syscall" in error && "address" in error && String(error.address).startsWith("/")) return "socket";
  if (text.startsWith("All sentinels are unreachable")) return "sentinel";
  if (code === "ECONNREFUSED") return "refused";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "not-found";
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH") return "timeout";
  if (/^(NOAUTH|WRONGPASS)\b/.test(text) || /invalid password/i.test(text)) return "auth";
  if (/^(NOPERM|DENIED)\b/.test(text)) return "permission";
  if (/DB index is out of range|SELECT is not allowed/.test(text)) return "database";
  if (/^LOADING\b/.test(text) || /loading the dataset/i.test(text)) return "loading";
  if (/^BUSY\b/.test(text)) return "busy";
  if (text === HANDSHAKE_TIMED_OUT) return "timeout"; // a server that is not up yet: it passes
  if (/^ERR max number of clients/.test(text)) return "maxclients";
  const tls = tlsCause(error);
  if (tls !== undefined) return tls;
  if (/^Protocol error/.test(text) || error.name === "ParserError") return "protocol";
  if (/timed out|timeout/i.test(text)) return "timeout";
  if (code === "ECONNRESET" || code === "EPIPE") return "closed";
  return undefined;
}

/** Returns the short code of an error, and the permission that is missing. The whole text may quote credentials. */
function detailOf(error: unknown): string {
  if (!isError(error)) return "";
  if (error.message === HANDSHAKE_TIMED_OUT)
    return "during the TLS handshake; for a server without TLS write valkey://";
  if (error.message.startsWith("All sentinels"))
    return /No such master|NOAUTH/.exec(error.message)?.[0] ?? "";
  if (tlsCause(error) !== undefined) return tlsDetail(error);
  const code = codeOf(error) || (/^[A-Z]{4,}\b/.exec(error.message)?.[0] ?? "");
  if (code === "DENIED")
    return "DENIED: protected mode accepts only local connections until a password is set";
  return missingPermission(error.message)?.code ?? code;
}
