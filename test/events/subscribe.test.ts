import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, ConnectError, connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin, connection } from "../helpers/calls.js";
import { agents, client, rejectionOf } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { recordingLogger, textsIn } from "../helpers/secrets.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

it("a subscription delivers every change as the document that the caller got, in order", async () => {
  const home = await client();
  await home.init(4);
  const ours = await home.machine(agent());
  const heard: unknown[] = [];
  await ours.subscribe((change) => void heard.push(change));
  const done = [
    await ours.create("a1", { taskId: "t1" }),
    await ours.create("a2"),
    await ours.transition("a1", "running"),
    await ours.patch("a2", { set: { n: [] } }),
    await ours.remove("a1"),
  ];
  await ours.tryTransition("a2", "completed");
  const last = await ours.transition("a2", "killed");
  await expect.poll(() => heard.length).toBe(6);
  expect(heard).toEqual([...done, last]);
});

it("a subscription delivers nothing after it is closed", async () => {
  const ours = await agents();
  const heard: string[] = [];
  const stayed: string[] = [];
  const subscription = await ours.subscribe(({ id }) => void heard.push(id));
  await ours.subscribe(({ id }) => void stayed.push(id));
  await ours.create("a1");
  await expect.poll(() => heard).toEqual(["a1"]);
  await subscription.close();
  await subscription.close();
  await ours.create("a2");
  await expect.poll(() => stayed).toEqual(["a1", "a2"]);
  expect(heard).toEqual(["a1"]);
});

it("a subscription works again after its connection was killed", async () => {
  const ours = await agents();
  const heard: string[] = [];
  await ours.subscribe(({ id }) => void heard.push(id));
  const killer = await connection();
  await killer.call("CLIENT", "KILL", "TYPE", "pubsub");
  let n = 0;
  await expect
    .poll(async () => {
      await ours.create(`a${n++}`);
      return heard.length;
    })
    .toBeGreaterThan(0);
});

it("a subscription works again if its connection is lost a second time while it subscribes again", async () => {
  const proxy = await startProxy(await useValkey());
  const { logger, lines } = recordingLogger();
  const far = await client({ url: proxy.url, logger });
  const near = await (await client({ namespace: far.namespace })).machine(agent());
  const heard: string[] = [];
  await (await far.machine(agent())).subscribe(({ id }) => void heard.push(id));
  proxy.dropRequest("subscribe");
  proxy.cut();
  await proxy.lost;
  let n = 0;
  await expect
    .poll(async () => {
      await near.create(`a${n++}`);
      return heard.length;
    })
    .toBeGreaterThan(0);
  expect(lines.join()).toContain("could not subscribe again");
});

it("a subscription ignores a message that is not a change, with a warning that does not quote it", async () => {
  const { logger, lines } = recordingLogger();
  const home = await client({ logger });
  const ours = await home.machine(agent());
  const heard: string[] = [];
  await ours.subscribe(({ id }) => void heard.push(id));
  await (await admin()).publish(`${home.namespace}:agent:events`, "no JSON, s3cret");
  await ours.create("a1");
  await expect.poll(() => heard).toEqual(["a1"]);
  expect(lines.filter((line) => line.includes("ignored a message that is not a change"))).toHaveLength(1);
  expect(lines.join()).not.toContain("s3cret");
});

it.each([
  [
    "throws",
    () => {
      throw new Error("boom");
    },
  ],
  ["rejects", async () => Promise.reject(new Error("boom"))],
])("a subscription loses no message and logs an error if its listener %s", async (_, fail) => {
  const { logger, lines } = recordingLogger();
  const ours = await (await client({ logger })).machine(agent());
  const heard: string[] = [];
  await ours.subscribe(({ id }) => {
    heard.push(id);
    return fail();
  });
  // Concurrently, so that several messages arrive in one read of the socket.
  await Promise.all(["a1", "a2", "a3", "a4"].map((id) => ours.create(id)));
  await expect.poll(() => heard).toEqual(["a1", "a2", "a3", "a4"]);
  const failures = () => lines.filter((line) => line.includes("a listener failed"));
  await expect.poll(() => failures().length).toBe(4);
  expect(failures()[0]).toContain("boom");
});

it("a subscription continues if its listener throws a value without text, with a logger and without", async () => {
  const { logger, lines } = recordingLogger();
  const warned = new Promise<Error>((resolve) => {
    process.on("warning", resolve);
    onTestFinished(() => void process.off("warning", resolve));
  });
  const [logged, unlogged] = [await (await client({ logger })).machine(agent()), await agents()];
  for (const ours of [logged, unlogged]) {
    const heard: string[] = [];
    await ours.subscribe(({ id }) => {
      heard.push(id);
      throw Object.create(null);
    });
    await ours.create("a1");
    await ours.create("a2");
    await expect.poll(() => heard).toEqual(["a1", "a2"]);
  }
  expect(lines.join()).toContain("[Object: null prototype] {}");
  expect((await warned).message).toContain("[Object: null prototype] {}");
});

it("a failing listener becomes a process warning without a logger", async () => {
  const ours = await agents();
  const warned = new Promise<Error>((resolve) => {
    process.on("warning", resolve);
    onTestFinished(() => void process.off("warning", resolve));
  });
  await ours.subscribe(() => {
    throw new Error("boom");
  });
  await ours.create("a1");
  expect(await warned).toMatchObject({ code: "LATCHKEY_LISTENER" });
  expect((await warned).message).toContain("boom");
});

it("subscribe throws without quoting the command if the user may not use the channel", async () => {
  const { url } = await useValkey();
  const home = await client();
  const ours = await home.machine(agent());
  await ours.create("a1");
  const name = home.namespace;
  await (await admin()).call("ACL", "SETUSER", name, "on", ">pass", "~*", "+@all", "resetchannels");
  const reader = await client({ url, username: name, password: "pass", namespace: name });
  const agentsOfReader = await reader.installed("agent");
  const error = await rejectionOf(ConnectError, agentsOfReader?.subscribe(() => {}) ?? Promise.resolve());
  expect(error.reason).toBe("permission");
  expect(textsIn(error).join()).not.toContain(`${name}:agent:events`);
});

it("a subscription begins if a frozen server comes back within the time limit", async () => {
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url, connectTimeoutMs: 500, timeout: "1m" });
  const ours = await far.machine(agent());
  const heard: string[] = [];
  proxy.freeze(true);
  const subscribing = ours.subscribe(({ id }) => void heard.push(id));
  subscribing.catch(() => {}); // awaited below
  await expect.poll(() => proxy.frozen).toBeGreaterThan(1);
  proxy.freeze(false);
  await subscribing;
  await ours.create("a1");
  await expect.poll(() => heard).toEqual(["a1"]);
});

it("a subscription begins if its connection is lost while it subscribes", async () => {
  const proxy = await startProxy(await useValkey());
  const ours = await (await client({ url: proxy.url })).machine(agent());
  const { heard, counts, onMissed, listener } = recorder();
  proxy.dropRequest("$9\r\nsubscribe");
  await ours.subscribe(listener, { onMissed });
  await proxy.lost;
  await ours.create("a1");
  await expect.poll(() => heard).toEqual(["a1"]);
  expect(counts.missed).toBe(0);
});

it("subscribe throws the reason if the server is unreachable", async () => {
  const server = await startValkey();
  const home = await connect({ url: server.url, namespace: freshNamespace(), timeout: "1s" });
  onTestFinished(() => home.close());
  const ours = await home.machine(agent());
  await server.stop();
  expect(
    (
      await rejectionOf(
        ConnectError,
        ours.subscribe(() => {}),
      )
    ).reason,
  ).toBe("refused");
});

/** Makes a listener that collects IDs, and an `onMissed` that counts its calls. */
function recorder() {
  const heard: string[] = [];
  const counts = { missed: 0 };
  const onMissed = (): void => {
    counts.missed += 1;
  };
  return { heard, counts, onMissed, listener: ({ id }: { readonly id: string }) => void heard.push(id) };
}

it("a subscription calls onMissed when it works again after a lost connection", async () => {
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url });
  const near = await (await client({ namespace: far.namespace })).machine(agent());
  const { heard, counts, listener } = recorder();
  const states: (string | undefined)[] = [];
  const onMissed = async () => {
    counts.missed += 1;
    states.push((await near.get("a0"))?.state);
    await near.create("a1");
  };
  await (await far.machine(agent())).subscribe(listener, { onMissed: () => void onMissed() });
  proxy.shut(true);
  proxy.cut();
  await near.create("a0");
  proxy.shut(false);
  await expect.poll(() => heard).toEqual(["a1"]);
  expect({ ...counts, states }).toEqual({ missed: 1, states: ["spawning"] });
});

it("a subscription calls onMissed after the server disconnected it for reading too slowly", async () => {
  const server = await startValkey({ args: ["--client-output-buffer-limit", "pubsub 64kb 0 0"] });
  onTestFinished(() => server.stop());
  const home = await client({ url: server.url });
  const ours = await home.machine(agent());
  const { heard, counts, onMissed, listener } = recorder();
  await ours.subscribe(listener, { onMissed });
  // One transaction: the server sends nothing before all of it is in the buffer. Valkey 9 does not count large messages.
  const loud = new Valkey(server.port, server.host);
  onTestFinished(() => loud.disconnect());
  const shout = loud.multi();
  for (let n = 0; n < 2_000; n += 1) shout.publish(`${home.namespace}:agent:events`, "x".repeat(4_096));
  await shout.exec();
  await expect.poll(() => counts.missed).toBe(1);
  await ours.create("a1");
  await expect.poll(() => heard).toEqual(["a1"]);
});

it("a subscription notices a frozen server and calls onMissed when the server is back", async () => {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  if (!("pid" in server)) throw new Error("A server in a container cannot be frozen");
  const home = await client({ url: server.url, silenceTimeoutMs: 200 });
  const { logger, lines } = recordingLogger();
  const { namespace } = home;
  const watched = await client({ url: server.url, namespace, silenceTimeoutMs: 200, logger });
  const ours = await home.machine(agent());
  const { heard, counts, onMissed, listener } = recorder();
  await (await watched.machine(agent())).subscribe(listener, { onMissed });
  process.kill(server.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(server.pid, "SIGCONT"));
  await expect.poll(() => lines.join()).toContain("latchkey-subscribe");
  expect(counts.missed).toBe(0);
  process.kill(server.pid, "SIGCONT");
  await expect.poll(() => counts.missed).toBe(1);
  await expect.poll(() => ours.create("a1").catch(() => undefined)).toBeDefined();
  await expect.poll(() => heard).toEqual(["a1"]);
});

it("a subscription calls onMissed when it gets the permission for its channel back", async () => {
  const { url } = await useValkey();
  const home = await client();
  const ours = await home.machine(agent());
  const name = home.namespace;
  await (await admin()).call("ACL", "SETUSER", name, "on", ">pass", "~*", "&*", "+@all");
  const { logger, lines } = recordingLogger();
  const user = { username: name, password: "pass", silenceTimeoutMs: 1000, logger };
  const theirs = await (await client({ url, namespace: name, ...user })).machine(agent());
  const { heard, counts, onMissed, listener } = recorder();
  await theirs.subscribe(listener, { onMissed });
  await (await admin()).call("ACL", "SETUSER", name, "resetchannels"); // closes its connection
  await expect.poll(() => lines.join()).toContain("could not subscribe again");
  await ours.create("a0");
  expect({ heard, ...counts }).toEqual({ heard: [], missed: 0 });
  await (await admin()).call("ACL", "SETUSER", name, "&*");
  await expect.poll(() => counts.missed).toBe(1);
  await ours.create("a1");
  await expect.poll(() => heard).toEqual(["a1"]);
  expect(counts.missed).toBe(1);
});

it("a subscription continues if onMissed throws", async () => {
  const { logger, lines } = recordingLogger();
  const ours = await (await client({ logger })).machine(agent());
  const { heard, listener } = recorder();
  const onMissed = (): void => {
    throw new Error("boom");
  };
  await ours.subscribe(listener, { onMissed });
  await (await connection()).call("CLIENT", "KILL", "TYPE", "pubsub");
  await expect.poll(() => lines.filter((line) => line.includes("boom")).length).toBe(1);
  await ours.create("a1");
  await expect.poll(() => heard).toEqual(["a1"]);
});
