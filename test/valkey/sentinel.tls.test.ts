import { expect, it, onTestFinished } from "vitest";
import { agent, ConnectError, connect } from "../../src/index.js";
import { freePort } from "../../src/server/port.js";
import { authority } from "../helpers/certificates.js";
import { client, rejectionOf } from "../helpers/client.js";
import { replicated } from "../helpers/replica.js";
import { watchedBy } from "../helpers/sentinel.js";
import { tlsServer } from "../helpers/tls-server.js";
import { useValkey } from "../helpers/valkey.js";

it("changes and events continue over TLS on the successor of a primary that crashed", async () => {
  const own = await authority();
  const issued = await own.issue();
  const [port, ofReplica] = [await freePort(), await freePort()];
  const args = [...own.serverArgs(issued), "--tls-replication", "yes"];
  const { primary, stopPrimary } = await replicated({
    primary: ["--tls-port", String(port), ...args],
    replica: ["--tls-port", String(ofReplica), ...args, "--replicaof", "127.0.0.1", String(port)],
  });
  const sentinel = await watchedBy({ host: primary.host, port }, { tls: { own, issued } });
  const url = `valkeys+sentinel://localhost:${sentinel}/main`;
  const latchkey = await connect({ url, tls: { caFile: own.caFile }, namespace: "t", timeout: "25s" });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await agents.create("a1", {}, { durability: { replicas: 1, timeoutMs: 20_000 } });
  const log = agents.events({ after: "start" })[Symbol.asyncIterator]();
  expect((await log.next()).value).toMatchObject({ type: "agent.spawned" });
  await stopPrimary();
  expect(await agents.transition("a1", "running")).toMatchObject({ state: "running", version: 2 });
  expect((await log.next()).value).toMatchObject({ type: "agent.running" });
});

/** The error of a connection through one Sentinel. */
const failure = (scheme: string, sentinel: number, caFile?: string) =>
  rejectionOf(
    ConnectError,
    connect({ url: `${scheme}://localhost:${sentinel}/main`, ...(caFile && { tls: { caFile } }) }),
  );

it("the error names the Sentinel whose TLS does not fit, and the cause", async () => {
  const { own, issued, port } = await tlsServer();
  const { port: plainPort } = await useValkey();
  const [secure, plain] = await Promise.all([
    watchedBy({ host: "127.0.0.1", port }, { replicas: 0, tls: { own, issued } }),
    watchedBy({ host: "127.0.0.1", port: plainPort }, { replicas: 0 }),
  ]);
  for (const [scheme, sentinel, caFile, reason, detail] of [
    ["valkeys+sentinel", secure, undefined, "tls-untrusted", ": SELF_SIGNED_CERT_IN_CHAIN"],
    ["valkeys+sentinel", plain, own.caFile, "tls-missing", ""],
    ["valkey+sentinel", secure, undefined, "tls-required", ""],
  ] as const) {
    const error = await failure(scheme, sentinel, caFile);
    expect(error.reason).toBe(reason);
    expect(error.message).toContain(`(Sentinel localhost:${sentinel}${detail})`);
    expect(error.primary).toBeUndefined();
  }
});

it("the error names the primary whose TLS does not fit, and the cause", async () => {
  const { own, port, plainPort } = await tlsServer({ names: "DNS:primary.test" });
  const issued = await own.issue();
  const tls = { own, issued };
  const [named, plain] = await Promise.all([
    watchedBy({ host: "127.0.0.1", port }, { replicas: 0, tls }),
    watchedBy({ host: "127.0.0.1", port: plainPort }, { replicas: 0, tls }),
  ]);
  const name = await failure("valkeys+sentinel", named, own.caFile);
  expect(name).toMatchObject({ reason: "tls-name", primary: `127.0.0.1:${port}` });
  expect(name.message).toContain("(the connection is to 127.0.0.1, the certificate for DNS:primary.test)");
  const missing = await failure("valkeys+sentinel", plain, own.caFile);
  expect(missing).toMatchObject({ reason: "tls-missing", primary: `127.0.0.1:${plainPort}` });
});

it("natMap leads to the name on the primary's certificate", async () => {
  const { own, port } = await tlsServer({ names: "DNS:localhost" });
  const tls = { own, issued: await own.issue() };
  const sentinel = await watchedBy({ host: "127.0.0.1", port }, { replicas: 0, tls });
  const options = { url: `valkeys+sentinel://localhost:${sentinel}/main`, tls: { caFile: own.caFile } };
  const error = await rejectionOf(ConnectError, connect(options));
  expect(error).toMatchObject({ reason: "tls-name", primary: `127.0.0.1:${port}` });
  const natMap = { [`127.0.0.1:${port}`]: { host: "localhost", port } };
  const latchkey = await client({ ...options, sentinel: { natMap } });
  expect(await latchkey.machines()).toEqual([]);
  expect(natMap).toEqual({ [`127.0.0.1:${port}`]: { host: "localhost", port } });
});
