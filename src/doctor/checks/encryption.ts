import type { TLSSocket } from "node:tls";
import { type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { query } from "../query.js";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Enough time to renew a certificate. */
const SOON_DAYS = 14;

/** Checks that a connection that leaves this host is encrypted, and how long the server's certificate is valid. */
export async function encryption({ connection: { client }, now }: DoctorContext): Promise<Outcome> {
  await query("time", () => client.time()); // a lost connection has neither an address nor a certificate
  const { stream, options } = client;
  if ("getPeerCertificate" in stream) return certificate(stream as TLSSocket, now());
  if (options.path != null || isLocal(stream.remoteAddress ?? ""))
    return ok("not used", "the connection does not leave this host");
  return warn(
    "not used",
    "passwords and data cross the network without encryption",
    "use TLS: set tls-port on the server, and write valkeys:// in the URL",
  );
}

/** Returns true for an address of this host, also if IPv6 contains IPv4. */
export function isLocal(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

function certificate(stream: TLSSocket, nowMs: number): Outcome {
  const endMs = Date.parse(stream.getPeerCertificate().valid_to);
  const status = `${stream.getProtocol()}, certificate valid until ${new Date(endMs).toISOString().slice(0, 10)}`;
  if (!stream.authorized)
    return warn(status, "the server's certificate is not verified", "remove tls.rejectUnauthorized");
  const days = Math.floor((endMs - nowMs) / DAY_MS);
  if (days >= SOON_DAYS) return ok(status, "the connection is encrypted, and the server is verified");
  return warn(
    status,
    `clients cannot connect after that, in ${days} days`,
    "renew the server's certificate; then set tls-cert-file and tls-key-file again, with CONFIG SET",
  );
}
