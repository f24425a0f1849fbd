import { onTestFinished } from "vitest";
import { freePort } from "../../src/server/port.js";
import { startValkey } from "../../src/testing/index.js";
import { type Authority, authority, type Issued, type IssueOptions } from "./certificates.js";

/** A server of this test alone, which has a port with TLS and one without. */
export interface TlsServer {
  readonly own: Authority;
  readonly issued: Issued;
  /** URL with TLS, by the name of the host. */
  readonly url: string;
  readonly port: number;
  /** URL of the port without TLS. */
  readonly plainUrl: string;
  readonly plainPort: number;
}

/** Settings of {@link tlsServer}. */
export interface TlsServerOptions extends IssueOptions {
  readonly own?: Authority;
  /** If clients need a certificate. @default "no" */
  readonly clients?: "yes" | "no";
  readonly appendOnly?: boolean;
  /** Further server arguments. */
  readonly args?: readonly string[];
}

export async function tlsServer(options: TlsServerOptions = {}): Promise<TlsServer> {
  const { own = await authority(), clients, appendOnly = false, args = [], ...issue } = options;
  const issued = await own.issue(issue);
  const port = await freePort();
  const server = await startValkey({
    appendOnly,
    args: ["--tls-port", String(port), ...own.serverArgs(issued, clients), ...args],
  });
  onTestFinished(() => server.stop());
  const url = `valkeys://localhost:${port}`;
  return { own, issued, url, port, plainUrl: server.url, plainPort: server.port };
}
