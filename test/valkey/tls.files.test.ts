import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { agent, ContractError, connect, type Duration, NotExecutedError } from "../../src/index.js";
import type { TlsOptions } from "../../src/valkey/tls-options.js";
import { asSettings, authority } from "../helpers/certificates.js";
import { client, rejectionOf } from "../helpers/client.js";
import { adminOf } from "../helpers/doctor.js";
import { freshFolder } from "../helpers/folder.js";
import { recordingLogger } from "../helpers/secrets.js";
import { tlsServer } from "../helpers/tls-server.js";

/** Nothing listens there: certificates are checked before a connection begins. */
const URL_OF_NOBODY = "valkeys://127.0.0.1:1";
const rejection = async (tls: object) => {
  const error = await rejectionOf(ContractError, connect({ url: URL_OF_NOBODY, tls: tls as TlsOptions }));
  expect(error.code).toBe("BADARG");
  return error.message;
};

describe("connect rejects", () => {
  it("a file that does not exist, with each way to name it", async () => {
    expect(await rejection({ caFile: "/no/ca.crt" })).toBe(
      "cannot read the CA file /no/ca.crt (ENOENT); correct tls.caFile, --tls-ca-file or LATCHKEY_TLS_CA_FILE",
    );
    expect(await rejection({ certFile: "/no/client.crt" })).toContain(
      "cannot read the certificate file /no/client.crt (ENOENT); correct tls.certFile, --tls-cert-file or",
    );
    expect(await rejection({ cert: "", keyFile: "/no/client.key" })).toContain(
      "cannot read the key file /no/client.key (ENOENT); correct tls.keyFile, --tls-key-file or LATCHKEY_TLS_KEY_FILE",
    );
  });

  it("a CA file without certificates and one with a damaged one, which Node would ignore", async () => {
    const { ca } = await authority();
    const { keyFile } = await (await authority()).issue();
    expect(await rejection({ caFile: keyFile })).toBe("the CA file has no certificate in PEM format");
    expect(await rejection({ ca: "" })).toBe("the CA file has no certificate in PEM format");
    const damaged = ca.replace(/\n[^-]+\n/, "\nMIIB\n");
    expect(await rejection({ ca: [ca, damaged] })).toBe("certificate 1 of the CA file is damaged");
    expect(await rejection({ ca: ca + damaged })).toBe("certificate 2 of the CA file is damaged");
  });

  it("a certificate without its key, and one with the key of another", async () => {
    const own = await authority();
    const [one, other] = [await own.issue(), await own.issue()];
    expect(await rejection({ certFile: one.certFile })).toBe(
      "the client has no private key: set tls.keyFile",
    );
    expect(await rejection({ keyFile: one.keyFile })).toBe("the client has no certificate: set tls.certFile");
    expect(await rejection({ certFile: one.certFile, keyFile: other.keyFile })).toContain(
      "the client's certificate and private key do not belong together",
    );
    expect(await rejection({ certFile: one.keyFile, keyFile: one.keyFile })).toContain(
      "the client's certificate cannot be read; it must be in PEM format",
    );
  });

  it("an encrypted key without its passphrase", async () => {
    const own = await authority();
    const issued = await own.issue({ passphrase: "sesame" });
    for (const passphrase of [undefined, "open"]) {
      const message = await rejection({ ...issued, ...(passphrase && { passphrase }) });
      expect(message).toContain("the client's private key cannot be read; it must be in PEM format, and an");
      expect(message).not.toContain("sesame");
    }
  });

  it.each([
    [{ cafile: "x" }, 'unknown option "cafile" in tls; did you mean "caFile"?'],
    [{ checkServerIdentity: () => undefined }, 'unknown option "checkServerIdentity" in tls'],
    [{ caFile: 5 }, "tls.caFile must be text, not a number"],
    [{ servername: null }, "tls.servername must be text, not null"],
    [{ rejectUnauthorized: "no" }, 'tls.rejectUnauthorized must be true or false, not "no"'],
    [{ ca: "x", caFile: "y" }, "tls.ca and tls.caFile have the same purpose; omit one of them"],
  ])("the options %j", async (tls, text) => {
    expect(await rejection(tls)).toContain(text);
  });
});

/** A client that reads the authority from a file of its own, and what replaces the server's certificate. */
async function renewable(timeout: Duration = "30s") {
  const server = await tlsServer();
  const caFile = join(await freshFolder(), "ca.crt");
  await writeFile(caFile, server.own.ca);
  const { logger, lines } = recordingLogger();
  const latchkey = await client({ url: server.url, tls: { caFile }, logger, timeout });
  const admin = await adminOf({ host: "127.0.0.1", port: server.plainPort });
  return { latchkey, admin, caFile, lines };
}

it("a new authority is used from the next connection on, without a restart", async () => {
  const { latchkey, admin, caFile } = await renewable();
  const next = await authority();
  await writeFile(caFile, next.ca);
  await admin.call("CONFIG", "SET", ...asSettings(next.serverArgs(await next.issue())));
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  expect(await latchkey.machines()).toEqual([]);
});

it("a file that is damaged later is ignored with a warning, and connections use its previous content", async () => {
  const { latchkey, admin, caFile, lines } = await renewable();
  await writeFile(caFile, "half a file");
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  expect(await latchkey.machines()).toEqual([]);
  await expect
    .poll(() => lines.join("\n"))
    .toContain("cannot use the certificate files; using their previous content");
  expect(lines.join("\n")).toContain("the CA file has no certificate in PEM format");
});

it("a call names the cause if a server that comes back is not trusted any more, and is not executed", async () => {
  const { latchkey, admin } = await renewable("5s");
  const agents = await latchkey.machine(agent());
  const size = await admin.dbsize();
  const other = await authority();
  await admin.call("CONFIG", "SET", ...asSettings(other.serverArgs(await other.issue())));
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  const error = await rejectionOf(NotExecutedError, agents.create("a1"));
  expect(error.message).toContain(
    `create agent a1 was not executed: cannot use Valkey at ${latchkey.address}: the server's certificate was not issued by a trusted authority;`,
  );
  expect(await admin.dbsize()).toBe(size);
});
