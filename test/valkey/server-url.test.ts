import { describe, expect, it } from "vitest";
import { ContractError, connect } from "../../src/index.js";
import { addressText } from "../../src/valkey/address.js";
import { parseAddress } from "../../src/valkey/server-url.js";
import { rejectionOf } from "../helpers/client.js";
import { textsIn } from "../helpers/secrets.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const DATABASE = "write the database as path, as in valkey://localhost:6379/2, or use the option database";

describe("a setting in the query of a URL is rejected with the option to use instead:", () => {
  it.each([
    ["?db=2", `db: ${DATABASE}`],
    ["/?db=2", `db: ${DATABASE}`],
    ["?tls=true", "tls: write valkeys:// for TLS, and use the option tls for certificates"],
    ["?ssl_cert_reqs=none", "ssl_cert_reqs: write valkeys:// for TLS"],
    ["?username=me", "username: write the user before the host"],
    [
      "?password=pw-of-the-test",
      "password: use the option password, or LATCHKEY_PASSWORD on the command line",
    ],
    ["?family=6", "family: leave it out, because latchkey tries IPv4 and IPv6"],
    ["?connectTimeout=100", "connectTimeout: use the option connectTimeoutMs"],
    ["?socket_connect_timeout=1", "socket_connect_timeout: use the option connectTimeoutMs"],
    ["?timeout=1s", "timeout: use the option timeout"],
    ["?client_name=me", "client_name: use the option connectionName"],
    ["?keyPrefix=app:", "keyPrefix: use the option namespace"],
    ["?db=1&tls=1", `db: ${DATABASE}; tls: write valkeys:// for TLS`],
    ["?pw-of-the-test=1", "the server URL has a query (?…); use options instead"],
    ["?", "if ? is part of the password, write %3F"],
    [
      "#1",
      "the server URL has a fragment (#…), which has no meaning; if # is part of the password, write %23",
    ],
  ])("%s", async (query, text) => {
    for (const url of [
      (await useValkey()).url,
      "valkey+sentinel://h1:1,h2/main",
      "unix:///run/valkey.sock",
    ]) {
      const error = await rejectionOf(ContractError, connect({ url: url + query }));
      expect(error.code).toBe("BADARG");
      expect(error.message).toContain(text);
      for (const part of textsIn(error)) expect(part).not.toContain("pw-of-the-test");
    }
  });
});

describe("the scheme of a URL", () => {
  it.each([
    "VALKEY+CLUSTER://h1,h2",
    "Valkeys+Cluster://h1,h2",
    "REDIS://h1",
    "Valkey+Sentinel://h1,h2/Main",
  ])("is read in any case: %s", (url) => {
    const [scheme = "", rest = ""] = url.split("://");
    expect(parseAddress(url)).toEqual(parseAddress(`${scheme.toLowerCase()}://${rest}`));
  });

  it.each([
    ["cluster://h1,h2", "valkey+cluster://host1:6379,host2:6379"],
    ["redis-cluster://h1", "valkey+cluster://host1:6379,host2:6379"],
    ["Sentinel://h1/main", "valkey+sentinel://host1:26379,host2:26379/primary-name"],
  ])("that is unsupported is rejected with the one that is meant: %s", (url, form) => {
    const [scheme = ""] = url.toLowerCase().split("://");
    expect(() => parseAddress(url)).toThrow(`unsupported URL scheme ${scheme}://; write it like ${form}`);
  });
});

describe("a URL is rejected if its path has", () => {
  it.each([
    ["two parts", "valkey://localhost:6379/1/2"],
    ["a slash at the end", "valkey://localhost:6379/1/"],
    ["a double slash", "valkey://localhost:6379//1"],
    ["a negative number", "valkey://localhost:6379/-1"],
    ["a part after the database of Sentinels", "valkey+sentinel://h1,h2/main/1/2"],
    ["a double slash before the primary", "valkey+sentinel://h1,h2//main"],
    ["nothing after the socket's scheme", "unix://"],
    ["a host before the socket", "unix://localhost/run/valkey.sock"],
    ["a folder instead of a socket", "unix:///run/valkey/"],
  ])("%s", async (_, url) => {
    const error = await rejectionOf(ContractError, connect({ url }));
    expect(error.message).toMatch(/; write it like (valkey|valkey\+sentinel|unix):\/\//);
  });
});

describe("a URL is rejected, and the error names what is wrong with it:", () => {
  const cluster = /; write it like valkey\+cluster:\/\//;
  const sentinel = /; write it like valkey\+sentinel:\/\//;
  const plain = /; write it like valkey:\/\/localhost:6379/;
  it.each([
    ["valkey+cluster:127.0.0.1:7001", "the server URL lacks // after valkey+cluster:", cluster],
    ["rediss+cluster:h", "the server URL lacks // after rediss+cluster:", cluster],
    ["valkey+sentinel:h1:26379/main", "the server URL lacks // after valkey+sentinel:", sentinel],
    ["valkey:localhost:6379", "the server URL lacks // after valkey:", plain],
    ["valkeys:/localhost", "the server URL lacks // after valkeys:", plain],
    ["unix:/run/valkey.sock", "the server URL lacks // after unix:", /; write it like unix:\/\/\//],
    ["valkey://h1:7001,h2:7002", "valkey:// names one server", cluster],
    ["valkeys://me:pw@h1,h2", "valkeys:// names one server", /, or write it like valkey\+sentinel:/],
    ["valkey+cluster://h1:7001,", "invalid cluster URL: an address is empty", cluster],
    ["valkey+cluster://h1:7001,,h2", "invalid cluster URL: an address is empty", cluster],
    ["valkey+cluster://h1:7001, h2:7002", "invalid cluster URL: an address contains a space", cluster],
    ["valkey+cluster://h1:70001", "invalid cluster URL: an address is not host:port", cluster],
    ["valkey+cluster://h1:port", "invalid cluster URL: an address is not host:port", cluster],
    ["valkey+cluster://", "invalid cluster URL", cluster],
    ["valkey+cluster://me:pw@h1,me:pw@h2", "invalid cluster URL", cluster],
    ["valkey+sentinel://h1:26379,/main", "invalid Sentinel URL: an address is empty", sentinel],
    ["valkey+sentinel://h1 :26379/main", "invalid Sentinel URL: an address contains a space", sentinel],
    ["valkey+sentinel://h1:26379", "the Sentinel URL lacks the name of the primary", sentinel],
    ["valkey+sentinel://h1:26379/", "the Sentinel URL lacks the name of the primary", sentinel],
    ["valkey+cluster://h1:7001/1", "a cluster has only database 0; omit the number", /namespace of your own/],
  ])("%s", (url, problem, hint) => {
    const parse = () => parseAddress(url);
    expect(parse).toThrow(ContractError);
    expect(parse).toThrow(problem);
    expect(parse).toThrow(hint);
    for (const part of ["pw", "127.0.0.1"]) expect(parse).not.toThrow(part);
  });
});

it("a cluster URL may end with a slash or database 0", () => {
  const { cluster } = parseAddress("valkey+cluster://h1:7001,h2");
  expect(cluster).toEqual([
    { host: "h1", port: 7001 },
    { host: "h2", port: 6379 },
  ]);
  for (const end of ["/", "/0"])
    expect(parseAddress(`valkey+cluster://h1:7001,h2${end}`).cluster).toEqual(cluster);
});

it.each([
  ["unix:///run/valkey/valkey.sock", "unix:///run/valkey/valkey.sock", {}],
  ["valkey+unix:///a%20b.sock", "unix:///a b.sock", {}],
  ["redis+unix://me:p%40@/v.sock", "unix:///v.sock", { username: "me", password: "p@" }],
  [" unix://:pw@/v.sock\n", "unix:///v.sock", { password: "pw" }],
])("the socket %s is shown as %s", (url, shown, credentials) => {
  const address = parseAddress(url);
  expect(addressText(address)).toBe(shown);
  expect(address).toEqual({
    host: "",
    port: 0,
    path: shown.slice(7),
    tls: false,
    database: 0,
    ...credentials,
  });
});

describe("a database other than 0", () => {
  const reason =
    'database 3 cannot be used with the namespace "latchkey": publish/subscribe ignores databases, so two applications would receive each other\'s events; use a namespace of your own (option namespace, --namespace or LATCHKEY_NAMESPACE)';

  it("is rejected with the default namespace, by URL, option and Sentinels", async () => {
    const { url } = await useValkey();
    for (const options of [
      { url: `${url}/3` },
      { url, database: 3 },
      { url: `${url}/3`, namespace: "latchkey" },
      { url: "valkey+sentinel://h1/main/3" },
      { url: "unix:///run/valkey.sock", database: 3 },
    ]) {
      expect((await rejectionOf(ContractError, connect(options))).message).toBe(reason);
    }
  });

  it("is used with a namespace of its own; the option overrides the URL", async () => {
    const { url } = await useValkey();
    for (const options of [{ url: `${url}/3` }, { url: `${url}/4`, database: 3 }]) {
      await using latchkey = await connect({ ...options, namespace: freshNamespace() });
      expect(latchkey.address).toBe(`${url}/3`);
    }
    await using latchkey = await connect({ url: `${url}/3`, database: 0 });
    expect(latchkey.address).toBe(url);
  });

  it("must be a number", async () => {
    const error = await rejectionOf(ContractError, connect({ database: "3" as unknown as number }));
    expect(error.message).toBe('database must be a whole number from 0 to 99999, not "3"');
  });
});
