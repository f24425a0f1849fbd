import { codeOf } from "../errors/code-of.js";
import { type ConnectCause, ConnectError } from "../errors/connect-error.js";
import { isError } from "../errors/is-error.js";
import { missingPermission } from "./permission.js";
import type { SentinelTrace } from "./sentinel-connector.js";

/** Reasons that a retry does not change. */
const LASTING: readonly ConnectCause[] = ["auth", "permission", "database", "tls", "protocol"];

/** Returns whether a retry may succeed. */
export function mayPassSoon({ reason }: Pick<ConnectError, "reason">): boolean {
  return !LASTING.includes(reason);
}

/** Text of an error: the server did not answer the first message of TLS. */
export const HANDSHAKE_TIMED_OUT = "TLS handshake timed out";

/** Causes that mean that no server was reached. */
const UNREACHED: readonly ConnectCause[] = ["refused", "not-found", "timeout", "closed"];

/** Finds the cause of a failed connection in the client's errors, the first one first, and in the Sentinels' replies. */
export function connectError(
  address: string,
  errors: readonly unknown[],
  sentinels: SentinelTrace = {},
): ConnectError {
  const error = errors.find((one) => connectCause(one) !== undefined);
  const cause = connectCause(error) ?? "closed";
  const { primary } = sentinels;
  const reason = primary !== undefined && UNREACHED.includes(cause) ? "primary" : cause;
  const detail = detailOf(cause === "sentinel" ? (sentinels.error ?? error) : error);
  return new ConnectError(address, reason, detail, primary);
}

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
  if (code === "EPROTO" || /^ERR_(SSL|TLS)/.test(code) || /certificate|self.signed|SSL|TLS/i.test(text))
    return "tls";
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
  const code = codeOf(error) || (/^[A-Z]{4,}\b/.exec(error.message)?.[0] ?? "");
  if (code === "DENIED")
    return "DENIED: protected mode accepts only local connections until a password is set";
  return missingPermission(error.message)?.code ?? code;
}
