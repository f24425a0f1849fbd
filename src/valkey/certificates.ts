import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { refuse } from "../contract/arguments.js";
import { codeOf } from "../errors/code-of.js";
import { safeMessage } from "./failure.js";
import type { Logger } from "./logger.js";
import type { TlsOptions } from "./tls-options.js";

/** The files, Node's option for the content of each, and the other names of its path. */
const FILES = [
  ["ca", "caFile", "CA file", "--tls-ca-file", "LATCHKEY_TLS_CA_FILE"],
  ["cert", "certFile", "certificate file", "--tls-cert-file", "LATCHKEY_TLS_CERT_FILE"],
  ["key", "keyFile", "key file", "--tls-key-file", "LATCHKEY_TLS_KEY_FILE"],
] as const;

/** The certificates and the key of a client. */
export class Certificates {
  readonly #options: TlsOptions;
  readonly #logger: Logger;
  readonly #env: NodeJS.ProcessEnv;
  #contents: SecureContextOptions;
  #context: SecureContext;

  /** @throws ContractError if a file cannot be read, or a certificate or a key is invalid */
  constructor(options: TlsOptions, logger: Logger, env: NodeJS.ProcessEnv) {
    this.#options = options;
    this.#logger = logger;
    this.#env = env;
    this.#contents = this.#read();
    this.#context = contextOf(this.#contents);
  }

  /** Reads the files again for a connection that begins now. If they cannot be used, the previous content stays in use. */
  get context(): SecureContext {
    try {
      const contents = this.#read();
      const isSame = FILES.every(([content]) => contents[content] === this.#contents[content]);
      if (!isSame) this.#context = contextOf(contents);
      this.#contents = contents;
    } catch (error) {
      const fields = { error: safeMessage(error) };
      this.#logger.warn(fields, "cannot use the certificate files; using their previous content");
    }
    return this.#context;
  }

  #read(): SecureContextOptions {
    const { caFile, certFile, keyFile, servername: _, rejectUnauthorized: __, ...rest } = this.#options;
    const paths = { caFile, certFile, keyFile };
    const { LATCHKEY_TLS_KEY_PASSPHRASE: passphrase = "" } = this.#env;
    const contents: SecureContextOptions = { ...(passphrase !== "" && { passphrase }), ...rest };
    // Options replace the certificate and the key of the environment together.
    const isOwn = [certFile, keyFile, rest.cert, rest.key, rest.pfx].some((value) => value !== undefined);
    for (const [content, option, kind, flag, variable] of FILES) {
      const isReplaced = content === "ca" ? rest.ca !== undefined : isOwn;
      const path = paths[option] ?? (isReplaced ? "" : (this.#env[variable] ?? ""));
      if (path === "") continue;
      try {
        contents[content] = readFileSync(path, "utf8");
      } catch (error) {
        refuse(
          `cannot read the ${kind} ${path} (${codeOf(error)}); correct tls.${option}, ${flag} or ${variable}`,
        );
      }
    }
    return contents;
  }
}

/** Makes a context. Rejects what Node would ignore. */
function contextOf(contents: SecureContextOptions): SecureContext {
  const { ca, cert, key } = contents;
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? "certificate: set tls.certFile" : "private key: set tls.keyFile";
    refuse(`the client has no ${missing}`);
  }
  for (const text of ca === undefined ? [] : [ca].flat()) checkAuthorities(String(text));
  try {
    return createSecureContext(contents);
  } catch (error) {
    refuse(`${problemOf(contents)} (${codeOf(error) || safeMessage(error)})`);
  }
}

const BLOCK = /-----BEGIN (\w+ )?CERTIFICATE-----.*?-----END (\w+ )?CERTIFICATE-----/gs;

/** Node ignores authorities that it cannot read, and would then trust nobody. */
function checkAuthorities(text: string): void {
  const found = text.match(BLOCK) ?? [];
  if (found.length === 0) refuse("the CA file has no certificate in PEM format");
  found.forEach((block, index) => {
    try {
      new X509Certificate(block);
    } catch {
      refuse(`certificate ${index + 1} of the CA file is damaged`);
    }
  });
}

function problemOf({ cert, key, passphrase }: SecureContextOptions): string {
  if (cert === undefined || key === undefined) return "the options of tls cannot be used";
  if (!isUsable({ cert })) return "the client's certificate cannot be read; it must be in PEM format";
  if (!isUsable({ key, ...(passphrase !== undefined && { passphrase }) }))
    return "the client's private key cannot be read; it must be in PEM format, and an encrypted key needs its passphrase";
  return "the client's certificate and private key do not belong together, or another option of tls is invalid";
}

function isUsable(contents: SecureContextOptions): boolean {
  try {
    return createSecureContext(contents) !== undefined;
  } catch {
    return false;
  }
}
