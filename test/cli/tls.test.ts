import { beforeAll, expect, test } from "vitest";
import { built } from "../helpers/built.js";
import { authority } from "../helpers/certificates.js";
import { agentCommandLine, jsonError } from "../helpers/command-line.js";
import { tlsServer } from "../helpers/tls-server.js";

beforeAll(built);

test("the options of TLS reach a server that demands certificates; commands to paste repeat them", async () => {
  const { run } = await agentCommandLine();
  const { own, port } = await tlsServer({ clients: "yes", names: "DNS:valkey.test" });
  const { certFile, keyFile } = await own.issue();
  const url = `valkeys://127.0.0.1:${port}`;
  const words = [
    ...["--url", url, "--tls-ca-file", own.caFile, "--tls-cert-file", certFile],
    ...["--tls-key-file", keyFile, "--tls-server-name", "valkey.test"],
  ];
  expect(await run(["apply", ...words])).toMatchObject({ exit: 0 });
  expect(await run(["create", "a1", ...words])).toMatchObject({ exit: 0 });
  const { exit, stdout } = await run(["get", "a1", ...words]);
  expect(exit).toBe(0);
  expect(stdout).toContain(` transition a1 running ${words.join(" ")}\n`);
});

test("the environment has the same settings; options take precedence", async () => {
  const { run } = await agentCommandLine();
  const { own, url } = await tlsServer({ clients: "yes" });
  const { certFile, keyFile } = await own.issue({ passphrase: "sesame" });
  const env = {
    LATCHKEY_URL: url,
    LATCHKEY_TLS_CA_FILE: own.caFile,
    LATCHKEY_TLS_CERT_FILE: certFile,
    LATCHKEY_TLS_KEY_FILE: keyFile,
    LATCHKEY_TLS_KEY_PASSPHRASE: "sesame",
  };
  expect(await run(["machines"], env)).toMatchObject({ exit: 0 });
  const { caFile } = await authority();
  const untrusted = await run(["machines", "--tls-ca-file", caFile, "-o", "json"], env);
  expect(untrusted.exit).toBe(7);
  expect(jsonError(untrusted)).toMatchObject({
    code: "UNREACHABLE",
    message: expect.stringContaining("was not issued by a trusted authority"),
  });
});

test("options of TLS that cannot be used are usage errors: 2", async () => {
  const { run, url, agents } = await agentCommandLine();
  const [missing, useless] = await Promise.all([
    run(["create", "a1", "--url", url.replace("valkey:", "valkeys:"), "--tls-ca-file", "/no/ca.crt"]),
    run(["create", "a1", "--tls-server-name", "valkey.test"]),
  ]);
  expect(missing).toEqual({
    exit: 2,
    stdout: "",
    stderr:
      "error: cannot read the CA file /no/ca.crt (ENOENT); correct tls.caFile, --tls-ca-file or LATCHKEY_TLS_CA_FILE\n",
  });
  expect(useless).toEqual({
    exit: 2,
    stdout: "",
    stderr: "error: tls needs a URL of TLS: write valkeys:// instead of valkey://\n",
  });
  expect(await agents.get("a1")).toBeNull();
});

test("an import reads a source without TLS into a server with TLS", async () => {
  const { run, url: source } = await agentCommandLine();
  const { own, url } = await tlsServer();
  const words = ["--url", url, "--tls-ca-file", own.caFile];
  expect(await run(["apply", ...words])).toMatchObject({ exit: 0 });
  const ended = await run(["import", "--from-service", "nothing:*", "--source-url", source, ...words]);
  expect(ended).toMatchObject({ exit: 4 });
  expect(ended.stderr).toContain("no key matches nothing:*");
});
