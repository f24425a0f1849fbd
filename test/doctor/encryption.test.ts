import { expect, test } from "vitest";
import { isLocal } from "../../src/doctor/checks/encryption.js";
import { result } from "../helpers/doctor.js";
import { tlsServer } from "../helpers/tls-server.js";
import { useValkey } from "../helpers/valkey.js";

test("a connection within this host needs no TLS", async () => {
  const { url } = await useValkey();
  expect(await result("tls", { url })).toMatchObject({
    level: "ok",
    status: "not used",
    meaning: "the connection does not leave this host",
  });
});

test.each([
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["10.0.0.5", false],
  ["::ffff:10.0.0.5", false],
  ["2001:db8::1", false],
  ["", false],
])("the address %j is of this host: %s", (address, local) => {
  expect(isLocal(address)).toBe(local);
});

test("a certificate is ok if it is valid for two weeks, otherwise a warning that counts the days", async () => {
  const { own, url } = await tlsServer({ days: 20 });
  const tls = { caFile: own.caFile };
  const good = await result("tls", { url, tls });
  expect(good).toMatchObject({
    level: "ok",
    status: expect.stringMatching(/^TLSv1\.3, certificate valid until 20/),
  });
  const now = () => Date.now() + 10 * 24 * 60 * 60 * 1000;
  const soon = await result("tls", { url, tls, now });
  expect(soon).toMatchObject({ level: "warn", meaning: "clients cannot connect after that, in 9 days" });
  expect(soon.fix).toContain("renew the server's certificate");
});

test("a certificate that is not verified is a warning", async () => {
  const { url } = await tlsServer({ names: "DNS:elsewhere.test" });
  expect(await result("tls", { url, tls: { rejectUnauthorized: false } })).toMatchObject({
    level: "warn",
    meaning: "the server's certificate is not verified",
  });
});
