import { type ConnectCause, ConnectError } from "../errors/connect-error.js";

/** Reasons that a retry does not change. */
const LASTING: readonly ConnectCause[] = ["auth", "permission", "database", "tls", "protocol"];

/** Returns whether a retry may succeed. */
export function mayPassSoon({ reason }: ConnectError): boolean {
  return !LASTING.includes(reason);
}

/** Finds the cause of a failed connection in the client's errors, the first one first. */
export function connectError(address: string, errors: readonly unknown[]): ConnectError {
  for (const error of errors) {
    const reason = connectCause(error);
    if (reason !== undefined) return new ConnectError(address, reason, detailOf(error));
  }
  return new ConnectError(address, "closed");
}

function connectCause(error: unknown): ConnectCause | undefined {
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

/** Returns the short code of an error. Its text may quote credentials. */
function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return /^[A-Z]{4,}\b/.exec(error.message)?.[0] ?? "";
}
