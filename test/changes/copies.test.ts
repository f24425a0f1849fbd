import type { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent } from "../../src/index.js";
import { admin, Calls, op } from "../helpers/calls.js";
import { client } from "../helpers/client.js";

/** Creates and removes a1 after a client has learnt a position. */
async function removedByOthers() {
  const home = await client();
  const agents = await home.machine(agent());
  await agents.create("other");
  const raw = new Calls(await admin(), "agent", home.namespace);
  await raw.ok("create", "a1");
  await raw.ok("remove", "a1");
  return { agents, raw };
}

/** Records the commands of a server. @returns a function that returns them */
async function recordCommands(valkey: Valkey): Promise<() => Promise<string[][]>> {
  const monitor = await valkey.monitor();
  onTestFinished(() => monitor.disconnect());
  const commands: string[][] = [];
  const isOver = new Promise<void>((resolve) => {
    monitor.on("monitor", (_time, words: string[]) => {
      if (words[1] === "over") resolve();
      commands.push(words);
    });
  });
  return async () => {
    await valkey.echo("over");
    await isOver;
    return commands;
  };
}

it("a copy of a first attempt that a proxy delivered before it is found in the log, and not made again", async () => {
  const home = await client();
  const agents = await home.machine(agent());
  await agents.create("other"); // this client knows a position now
  const seen = await agents.position("a1");
  const raw = new Calls(await admin(), "agent", home.namespace);
  await raw.ok("create", "a1", ...op("key-1", seen));
  await raw.ok("remove", "a1");
  expect(await agents.create("a1", {}, { op: "key-1" })).toMatchObject({ id: "a1", version: 1, op: "key-1" });
  expect(await agents.get("a1")).toBeNull();
  const types: string[] = [];
  for await (const { id, type } of agents.events({ after: "start", follow: false })) {
    if (id === "a1") types.push(type);
  }
  expect(types).toEqual(["agent.spawned", "agent.removed"]);
});

it("a first attempt that is forgotten because others removed the entity is made", async () => {
  const { agents } = await removedByOthers();
  expect(await agents.create("a1", {}, { op: "key-1" })).toMatchObject({ version: 1 });
  expect(await agents.get("a1")).toMatchObject({ version: 1 });
});

it("a key whose position the log has lost is rejected, so that a repeat cannot take effect again when the log has passed it", async () => {
  const home = await client();
  const agents = await home.machine(agent());
  await agents.create("a1");
  const lostMs = Date.now() + 60_000; // as after a failover that lost the newest changes
  const attempt = { op: "key-1", seen: `${lostMs}-0` };
  await expect(agents.remove("a1", attempt)).rejects.toMatchObject({ code: "FORGOTTEN" });
  expect(await agents.get("a1")).toMatchObject({ version: 1 });
  await (await admin()).xsetid(`{${home.namespace}:0}:agent:events`, `${lostMs}-1`); // the log passes the position
  expect(await agents.remove("a1", attempt)).toMatchObject({ type: "agent.removed", op: "key-1" });
  await agents.create("a1");
  expect(await agents.remove("a1", attempt)).toMatchObject({ version: 2, op: "key-1" });
  expect(await agents.get("a1")).toMatchObject({ version: 1 });
});

it("a key whose position the log has lost is not looked up in the log, however long that is", async () => {
  const home = await client();
  const agents = await home.machine(agent());
  await agents.create("a1");
  for (let n = 0; n < 40; n++) await agents.patch("a1", { set: { n } });
  const valkey = await admin();
  const events = `{${home.namespace}:0}:agent:events`;
  const before = await valkey.dumpBuffer(events);
  await valkey.xsetid(events, `${Date.now() + 60_000}-0`);
  await agents.patch("a1", { set: { n: 40 } }); // the client knows a position that will be lost
  const seen = await agents.position("a1");
  await valkey.multi().del(events).restore(events, 0, before).exec(); // as a failover that lost the newest changes
  const commands = await recordCommands(valkey);
  expect(await agents.patch("a1", { set: { n: 41 } })).toMatchObject({ n: 41 });
  await expect(agents.patch("a1", { set: { n: 42 }, op: "key-1", seen })).rejects.toMatchObject({
    code: "FORGOTTEN",
  });
  expect((await commands()).filter(([name]) => name?.toLowerCase() === "xrange")).toEqual([]);
});

it("a forgotten first attempt is rejected if the log that could tell about a copy was trimmed", async () => {
  const { agents, raw } = await removedByOthers();
  await (await admin()).xtrim(raw.key("events"), "MAXLEN", 0);
  await expect(agents.create("a1", {}, { op: "key-1" })).rejects.toMatchObject({ code: "FORGOTTEN" });
  expect(await agents.get("a1")).toBeNull();
  expect(await agents.create("a1", {}, { op: "key-2" })).toMatchObject({ version: 1 });
});
