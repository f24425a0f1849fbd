import { describe, expect, it } from "vitest";
import { ConnectError } from "../../src/index.js";
import { TimeUpError } from "../../src/valkey/deadline.js";
import { noteSender, OfflineError } from "../../src/valkey/failure.js";
import { hint } from "../../src/valkey/hint.js";
import type { Place } from "../../src/valkey/place.js";

const [A, B] = ["valkey://10.0.0.1:6379", "valkey://10.0.0.2:6379"];
const IN_CLUSTER: Place = { server: A, slot: 7 };
const refused = Object.assign(new Error("connect ECONNREFUSED 10.0.0.2:6379"), { code: "ECONNREFUSED" });

describe("an error of a call in a cluster names the node:", () => {
  const sent = new Error("LOADING dataset");
  noteSender(sent, B);
  it.each<[Error, Place, string]>([
    [
      new Error("MOVED 7 10.0.0.2:6379"),
      IN_CLUSTER,
      `${A} replies that another node holds slot 7 (MOVED 7 10.0.0.2:6379)`,
    ],
    [
      new Error("TRYAGAIN Multiple keys"),
      IN_CLUSTER,
      `slot 7 is moving from ${A} to another node; if the move has stopped, run \`valkey-cli --cluster fix 10.0.0.1:6379\` (TRYAGAIN Multiple keys)`,
    ],
    [
      new Error("CLUSTERDOWN The cluster is down"),
      { ...IN_CLUSTER, away: Array.from({ length: 5 }, () => ({ server: B, error: refused })) },
      `${A} does not serve slot 7; ${`not connected to ${B}: connection refused; `.repeat(3)}not connected to 2 more (CLUSTERDOWN The cluster is down)`,
    ],
    [new Error("OOM command not allowed"), IN_CLUSTER, `${A} is out of memory (OOM command not allowed)`],
    [
      new Error("NOREPLICAS Not enough"),
      IN_CLUSTER,
      `too few replicas are connected to ${A} (NOREPLICAS Not enough)`,
    ],
    // Not the server of the call, which asks several.
    [sent, IN_CLUSTER, `${B} is loading its data (LOADING dataset)`],
    [new Error("ERR unknown command"), IN_CLUSTER, `${A} replied ERR unknown command`],
    [new TimeUpError(), IN_CLUSTER, `no reply in time from ${A}, which holds slot 7`],
    [new Error("read ECONNRESET"), IN_CLUSTER, `lost the connection to ${A}, which holds slot 7`],
    [new OfflineError(), { server: undefined, slot: 7 }, "not connected to any node: none holds slot 7"],
    [
      new OfflineError({ server: B, slot: 8, error: refused }),
      IN_CLUSTER,
      `not connected to ${B}, which holds slot 8: connection refused`,
    ],
    [
      new OfflineError({ server: B, error: new ConnectError(B, "auth", { detail: "WRONGPASS" }), slot: 8 }),
      IN_CLUSTER,
      `cannot use Valkey at ${B}, which holds slot 8: authentication failed; correct user and password; Valkey does not distribute users: create the user on every node (WRONGPASS)`,
    ],
  ])("%s", (error, place, text) => {
    expect(hint(error, place)).toBe(text);
  });
});

it.each<[Error, string]>([
  [new Error("OOM command not allowed"), "the server is out of memory (OOM command not allowed)"],
  [
    new Error("MOVED 7 10.0.0.2:6379"),
    "another node of the cluster holds the key; pass a URL or the option cluster instead of `client` (MOVED 7 10.0.0.2:6379)",
  ],
  [new TimeUpError(), `no reply in time from ${A}`],
  [new OfflineError({ server: A, error: refused }), `not connected to ${A}: connection refused`],
  [new OfflineError(), `not connected to ${A}`],
])("an error of a single server is explained without a slot: %s", (error, text) => {
  expect(hint(error, { server: A })).toBe(text);
});
