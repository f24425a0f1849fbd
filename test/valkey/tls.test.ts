import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createConnection } from "node:net";
import { createSecureContext, createServer, type SecureContext } from "node:tls";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { agent, ConnectError, type ConnectOptions, connect } from "../../src/index.js";
import { authority } from "../helpers/certificates.js";
import { client, rejectionOf } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { recordingLogger } from "../helpers/secrets.js";
import { hasWaitaof } from "../helpers/server-program.js";
import { tlsServer } from "../helpers/tls-server.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const failure = (options: ConnectOptions) => rejectionOf(ConnectError, connect(options));

it("a client with a certificate makes changes, waits for acknowledgements and hears events over TLS", async () => {
  const { own, url } = await tlsServer({
    clients: "yes",
    appendOnly: true,
    args: ["--appendfsync", "always"],
  });
  const { certFile, keyFile } = await own.issue();
  const latchkey = await client({ url, tls: { caFile: own.caFile, certFile, keyFile } });
  expect(latchkey.address).toBe(url);
  const agents = await latchkey.machine(agent());
  const heard: string[] = [];
  await agents.subscribe(({ type }) => void heard.push(type));
  await agents.create("a1");
  const waiting = agents.waitFor("a1", "completed");
  await agents.transition("a1", "running", hasWaitaof ? { durability: "fsync" } : {});
  await agents.transition("a1", "completed");
  expect(await waiting).toMatchObject({ state: "completed", version: 3 });
  await expect.poll(() => heard).toEqual(["agent.spawned", "agent.running", "agent.completed"]);
  const log = agents.events({ after: "start" })[Symbol.asyncIterator]();
  expect((await log.next()).value).toMatchObject({ type: "agent.spawned" });
  await log.return?.();
});

describe("the error names the cause", () => {
  it("a certificate of an unknown authority", async () => {
    const { url } = await tlsServer();
    const { caFile } = await authority();
    const foreign = await failure({ url, tls: { caFile } });
    expect(foreign).toMatchObject({ code: "UNREACHABLE", reason: "tls-untrusted", address: url });
    expect(foreign.message).toBe(
      `cannot use Valkey at ${url}: the server's certificate was not issued by a trusted authority; name the file with the authority's certificate: option tls.caFile, --tls-ca-file or LATCHKEY_TLS_CA_FILE (SELF_SIGNED_CERT_IN_CHAIN)`,
    );
    expect(await failure({ url })).toMatchObject({ reason: "tls-untrusted" });
  });

  it("a certificate for another host, unless the option names that one", async () => {
    const { own, url, port } = await tlsServer({ names: "DNS:valkey.test,IP:10.0.0.5" });
    const { caFile } = own;
    const error = await failure({ url, tls: { caFile } });
    expect(error.reason).toBe("tls-name");
    expect(error.message).toContain("the server's certificate is for another name; correct the host, or");
    expect(error.message).toContain(
      " (the connection is to localhost, the certificate for DNS:valkey.test, IP:10.0.0.5)",
    );
    const byAddress = await failure({ url: `valkeys://127.0.0.1:${port}`, tls: { caFile } });
    expect(byAddress.message).toContain("(the connection is to 127.0.0.1, the certificate for ");
    const latchkey = await client({ url, tls: { caFile, servername: "valkey.test" } });
    expect(await latchkey.machines()).toEqual([]);
  });

  it("a certificate that has expired", async () => {
    const { own, url } = await tlsServer({ days: -1 });
    const error = await failure({ url, tls: { caFile: own.caFile } });
    expect(error.reason).toBe("tls-expired");
    expect(error.message).toContain(
      "the server's certificate has expired or is not valid yet; renew it, or correct the clock of this host (CERT_HAS_EXPIRED)",
    );
  });

  it("a server without TLS, which does not answer the handshake, is found long before the time limit", async () => {
    const { port } = await useValkey();
    const url = `valkeys://127.0.0.1:${port}`;
    const error = await failure({ url, connectTimeoutMs: 2_000_000_000, retry: true });
    expect(error.message).toBe(
      `cannot use Valkey at ${url}: the server does not use TLS on this port; correct the port, or write valkey instead of valkeys in the URL`,
    );
    expect(error.reason).toBe("tls-missing");
  });

  it("a server that is frozen is not taken for one without TLS", async () => {
    const proxy = await startProxy(await useValkey());
    proxy.freeze(true);
    const error = await failure({ url: `valkeys://localhost:${proxy.port}`, connectTimeoutMs: 500 });
    expect(error.reason).toBe("timeout");
    expect(error.message).toContain("during the TLS handshake; for a server without TLS write valkey://");
  });

  it.each(["no", "yes"] as const)(
    "a server with TLS, reached without it; clients need certificates: %s",
    async (clients) => {
      const { port } = await tlsServer({ clients });
      const url = `valkey://127.0.0.1:${port}`;
      const error = await failure({ url });
      expect(error.message).toBe(
        `cannot use Valkey at ${url}: the server uses TLS on this port; write valkeys instead of valkey in the URL`,
      );
      expect(error.reason).toBe("tls-required");
    },
  );

  it("a server that closes connections without TLS is not taken for one with TLS", async () => {
    const proxy = await startProxy(await useValkey());
    proxy.dropRequest("info");
    const error = await failure({ url: proxy.url });
    expect(error.reason).toBe("closed");
    expect(error.message).toContain("the server closed the connection; check host and port, and the log");
  });

  it("a client without a certificate, with one of another authority, and with one that has expired", async () => {
    const { own, url } = await tlsServer({ clients: "yes" });
    const { caFile } = own;
    const [none, foreign, expired] = await Promise.all([
      failure({ url, tls: { caFile } }),
      failure({ url, tls: { caFile, ...(await (await authority()).issue()) } }),
      failure({ url, tls: { caFile, ...(await own.issue({ days: -1 })) } }),
    ]);
    for (const { reason, message } of [none, foreign, expired]) {
      expect(reason).toBe("tls-client");
      expect(message).toContain("the server requires a client certificate that it trusts; name its files");
    }
    expect(none.message).toContain("(ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)");
    expect(foreign.message).toContain("(ERR_SSL_TLSV1_ALERT_UNKNOWN_CA)");
    expect(expired.message).toContain("(ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED)");
  });

  it("no TLS version in common", async () => {
    const { own, url } = await tlsServer({ args: ["--tls-protocols", "TLSv1.2"] });
    const error = await failure({ url, tls: { ca: own.ca, minVersion: "TLSv1.3" } });
    expect(error.reason).toBe("tls");
    expect(error.message).toContain("check that client and server have a TLS version and a cipher in common");
  });
});

it("verification that is switched off is logged as a warning", async () => {
  const { url } = await tlsServer({ names: "DNS:elsewhere.test" });
  const { logger, lines } = recordingLogger();
  const latchkey = await client({ url, tls: { rejectUnauthorized: false }, logger });
  expect(await latchkey.machines()).toEqual([]);
  expect(lines.join("\n")).toContain("certificates are not verified: tls.rejectUnauthorized is false");
});

describe("the environment", () => {
  it("names the files of a client; an option replaces what it is for", async () => {
    const { own, url } = await tlsServer({ clients: "yes", names: "DNS:valkey.test" });
    const { certFile, keyFile } = await own.issue({ passphrase: "sesame" });
    const other = await authority();
    const foreign = await other.issue();
    for (const [name, value] of [
      ["CA_FILE", own.caFile],
      ["CERT_FILE", certFile],
      ["KEY_FILE", keyFile],
      ["KEY_PASSPHRASE", "sesame"],
      ["SERVER_NAME", "valkey.test"],
    ] as const)
      vi.stubEnv(`LATCHKEY_TLS_${name}`, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const latchkey = await connect({ url, namespace: freshNamespace() });
    expect(await latchkey.machines()).toEqual([]);
    await latchkey.close();
    expect(await failure({ url, tls: { caFile: other.caFile } })).toMatchObject({ reason: "tls-untrusted" });
    expect(await failure({ url, tls: { servername: "localhost" } })).toMatchObject({ reason: "tls-name" });
    expect(await failure({ url, tls: { ...foreign } })).toMatchObject({ reason: "tls-client" });
    // A server without TLS needs none of them.
    const plain = await client();
    expect(await plain.machines()).toEqual([]);
  });
});

it("the name of the host is sent, so that a proxy in front of several servers can choose by it", async () => {
  const { plainPort, own, issued } = await tlsServer();
  const [key, cert] = await Promise.all([readFile(issued.keyFile), readFile(issued.certFile)]);
  const names: string[] = [];
  const choose = (name: string, done: (error: null, context: SecureContext) => void): void => {
    names.push(name);
    done(null, createSecureContext({ key, cert }));
  };
  const proxy = createServer({ key, cert, SNICallback: choose }, (near) => {
    const far = createConnection(plainPort, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on("error", () => {}); // the client hangs up
  }).listen(0, "localhost");
  await once(proxy, "listening");
  onTestFinished(() => void proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const latchkey = await client({ url: `valkeys://localhost:${port}`, tls: { caFile: own.caFile } });
  expect(await latchkey.machines()).toEqual([]);
  expect(names).toEqual(["localhost"]);
});
