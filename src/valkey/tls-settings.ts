import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { RedisOptions } from "iovalkey";
import { Certificates } from "./certificates.js";
import type { Logger } from "./logger.js";
import type { TlsOptions } from "./tls-options.js";

/**
 * Returns the client's settings of TLS, from options and environment.
 *
 * @throws ContractError if a file cannot be read, or a certificate or a key is invalid
 */
export function tlsSettings(
  options: TlsOptions,
  logger: Logger,
  env: NodeJS.ProcessEnv = process.env,
): ConnectionOptions {
  const { servername = env.LATCHKEY_TLS_SERVER_NAME || undefined, rejectUnauthorized } = options;
  const certificates = new Certificates(options, logger, env);
  if (rejectUnauthorized === false)
    logger.warn({}, "certificates are not verified: tls.rejectUnauthorized is false");
  return {
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    // The client reads this for each connection.
    get secureContext() {
      return certificates.context;
    },
  };
}

/**
 * Adds a host to settings of TLS that name no server: Node sends the server no name by itself. An IP address cannot be a
 * server name (RFC 6066, section 3).
 */
export function withServerName(tls: RedisOptions["tls"], host = "localhost"): { tls?: ConnectionOptions } {
  if (tls === undefined) return {};
  if (isIP(host) !== 0) return { tls };
  // Descriptors keep the property that is computed for each connection.
  return { tls: Object.defineProperties({ servername: host }, Object.getOwnPropertyDescriptors(tls)) };
}
