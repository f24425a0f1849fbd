import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejection } from "../helpers/client.js";
import { freshNamespace } from "../helpers/valkey.js";

/** Starts a server for one test, because a slow script blocks all of it. */
async function slowServer(): Promise<{ url: string; connection: () => Valkey }> {
  const server = await startValkey({ args: ["--busy-reply-threshold", "1"] });
  onTestFinished(() => server.stop());
  return {
    url: server.url,
    connection: () => {
      const valkey = new Valkey(server.port, server.host);
      onTestFinished(() => valkey.disconnect());
      return valkey;
    },
  };
}

it("the event log waits while the server runs a slow script, and continues", async () => {
  const { url, connection } = await slowServer();
  const latchkey = await connect({ url, namespace: freshNamespace() });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  await agents.create("a2");
  const log = agents.events({ after: "start" })[Symbol.asyncIterator]();
  expect(await log.next()).toMatchObject({ value: { id: "a1" } });
  expect(await log.next()).toMatchObject({ value: { id: "a2" } });

  const [runner, other] = [connection(), connection()];
  await other.ping();
  const stopped = rejection(runner.eval("while true do end", 0));
  const busy = async (): Promise<boolean> => (await other.ping().catch(String)).includes("BUSY");
  while (!(await busy()));
  // The log reads and gets BUSY: it has time for that during the round trips of another client.
  const next = log.next();
  for (let trips = 0; trips < 50; trips += 1) expect(await busy()).toBe(true);
  await other.script("KILL");
  await stopped;
  await agents.create("a3");
  expect(await next).toMatchObject({ value: { id: "a3" } });
  await log.return(undefined);
});

it("the event log reports a permanent error of the server", async () => {
  const latchkey = await client();
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  await (await admin()).acl("SETUSER", "no-xrange", "on", ">p", "~*", "&*", "+@all", "-xrange");
  const { namespace } = latchkey;
  const poor = await (await client({ namespace, username: "no-xrange", password: "p" })).machine(agent());
  const error = await rejection(all(poor.events({ after: "start", follow: false })));
  expect(error.message).toMatch(
    /cannot be read: (user no-xrange|the user) lacks the permission \+xrange; `latchkey acl --role ROLE` prints .* \(NOPERM xrange\)$/,
  );
});
