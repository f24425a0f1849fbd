import { codeOf } from "../errors/code-of.js";
import type { ConnectCause } from "../errors/connect-error.js";
import { isError } from "../errors/is-error.js";

/** Causes by the codes of Node: X509_V_ERR_… of OpenSSL for the server's certificate, alerts of the server for the client's. */
const CAUSES: readonly (readonly [cause: ConnectCause, codes: RegExp])[] = [
  ["tls-missing", /^TLS_MISSING$|^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/],
  ["tls-required", /^TLS_REQUIRED$/],
  ["tls-name", /^ERR_TLS_CERT_ALTNAME_/],
  ["tls-expired", /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/],
  [
    "tls-untrusted",
    /^(UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|CERT_UNTRUSTED|INVALID_CA)/,
  ],
  ["tls-client", /^ERR_SSL_\w+_ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/],
  ["tls", /^(EPROTO|CERT_\w+|CRL_\w+|ERR_(SSL|TLS)_\w+)$/],
];

/** Finds the cause of a failed TLS connection; undefined for another error. */
export function tlsCause(error: unknown): ConnectCause | undefined {
  const code = codeOf(error);
  if (code === "") return undefined;
  return CAUSES.find(([, codes]) => codes.test(code))?.[0];
}

/** Makes the error of a client that uses TLS although the server does not, or the other way round. */
export function tlsMismatch(code: "TLS_MISSING" | "TLS_REQUIRED"): Error {
  return Object.assign(new Error(code), { code });
}

/** Returns what the error's code does not say: the names on a certificate, which an unknown server chose. */
export function tlsDetail(error: unknown): string {
  const code = codeOf(error);
  if (code.startsWith("TLS_") || !isError(error)) return "";
  if (tlsCause(error) !== "tls-name" || !("cert" in error) || !("host" in error)) return code;
  const { subjectaltname } = error.cert as { subjectaltname?: unknown };
  const names =
    typeof subjectaltname === "string" ? subjectaltname.replaceAll("IP Address:", "IP:") : "no name";
  const shown = names.replaceAll(/[^ -~]/g, "?").slice(0, 100);
  return `the connection is to ${String(error.host)}, the certificate for ${shown}`;
}
