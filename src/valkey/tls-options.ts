import type { SecureContextOptions } from "node:tls";
import { checkFlag, checkOptions, checkTypes, refuse } from "../contract/arguments.js";

/** Options of Node's tls that a client can use. */
type NodeOptions =
  | "ca"
  | "cert"
  | "key"
  | "passphrase"
  | "pfx"
  | "crl"
  | "ciphers"
  | "ecdhCurve"
  | "sigalgs"
  | "minVersion"
  | "maxVersion";

/**
 * Options of TLS. Files are in PEM format. They are read again for each connection, so that a renewed certificate is used
 * without a restart.
 *
 * @example { caFile: "/etc/valkey/ca.crt", certFile: "/etc/valkey/client.crt", keyFile: "/etc/valkey/client.key" }
 */
export interface TlsOptions extends Pick<SecureContextOptions, NodeOptions> {
  /**
   * File with the certificates of the authorities to trust, instead of those that Node trusts; `ca` takes its content.
   * @default LATCHKEY_TLS_CA_FILE
   */
  readonly caFile?: string;
  /** File with the certificate of this client; `cert` takes its content. @default LATCHKEY_TLS_CERT_FILE */
  readonly certFile?: string;
  /**
   * File with the private key of the certificate; `key` takes its content. `passphrase` or LATCHKEY_TLS_KEY_PASSPHRASE
   * decrypts it.
   * @default LATCHKEY_TLS_KEY_FILE
   */
  readonly keyFile?: string;
  /**
   * Name that the certificate of each server must contain, if it is not the host of the connection.
   * @default LATCHKEY_TLS_SERVER_NAME
   */
  readonly servername?: string;
  /** With `false`, certificates are not verified, so any server can pose as yours. A warning is logged. @default true */
  readonly rejectUnauthorized?: boolean;
}

/** Options that are text if they are set. */
const TEXTS = ["caFile", "certFile", "keyFile", "servername", "passphrase"] as const;

/** Pairs of options with the same purpose. */
const PAIRS = [
  ["ca", "caFile"],
  ["cert", "certFile"],
  ["key", "keyFile"],
] as const;

const NODE_OPTIONS: readonly NodeOptions[] = [
  ...(["ca", "cert", "key", "passphrase", "pfx", "crl"] as const),
  ...(["ciphers", "ecdhCurve", "sigalgs", "minVersion", "maxVersion"] as const),
];

/** Checks the names and types of the options of TLS. @throws ContractError with code BADARG if one is unknown or invalid */
export function checkTls(tls: TlsOptions): void {
  checkOptions(tls, [...TEXTS, ...NODE_OPTIONS, "rejectUnauthorized"], "tls");
  for (const name of TEXTS) checkTypes("string", { [`tls.${name}`]: tls[name] });
  checkFlag("tls.rejectUnauthorized", tls.rejectUnauthorized);
  for (const [content, file] of PAIRS) {
    if (tls[content] === undefined || tls[file] === undefined) continue;
    refuse(`tls.${content} and tls.${file} have the same purpose; omit one of them`);
  }
}
