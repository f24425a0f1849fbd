import { describe, expect, test } from "vitest";
import { allRules, userLine } from "../../src/doctor/permissions/acl.js";
import { REACTION_ONLY, readerCommands, writerCommands } from "../../src/doctor/permissions/commands.js";
import { samplesOf } from "../../src/doctor/permissions/samples.js";
import { fsck } from "../../src/fsck/fsck.js";
import { agent, connect, type Entities, type Latchkey, NotDurableError } from "../../src/index.js";
import { type Operation, scripts } from "../../src/lua/index.js";
import { reactionScripts } from "../../src/lua/reactions.js";
import type { AgentState } from "../../src/machine/agent.js";
import { compileMachine } from "../../src/machine/compile.js";
import { stats } from "../../src/reads/stats.js";
import type { TestServer } from "../../src/testing/index.js";
import { Calls, machine } from "../helpers/calls.js";
import { all, rejectionOf } from "../helpers/client.js";
import { adminOf, connected, ownServer, user } from "../helpers/doctor.js";
import { builtText } from "../helpers/lua-source.js";
import { parcel } from "../helpers/parcel.js";
import { subscribed } from "../helpers/subscribed.js";
import { useValkey } from "../helpers/valkey.js";

const operations = Object.keys(scripts) as Operation[];
const location = { namespace: "here", machine: "agent", partitions: 1 };
/** Commands of the test itself or without permissions; CONFIG GET is granted only for durability, because it exposes passwords. */
const NOT_COUNTED = ["auth", "hello", "acl|setuser", "config|resetstat", "config|get", "pubsub|numsub"];

/** Returns the commands that the server has executed since `CONFIG RESETSTAT`. */
async function calledSince(server: TestServer): Promise<string[]> {
  const stats = await (await adminOf(server)).info("commandstats");
  const names = [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name]) => String(name));
  return names.filter((name) => !NOT_COUNTED.includes(name)).sort();
}

const timed = agent({ version: 2, spawnTimeout: "1h", lease: "1h" });

/** Calls everything that a reader may do. */
async function lookAtAll(latchkey: Latchkey, weigh: () => Promise<void>): Promise<void> {
  expect(await latchkey.machines()).toEqual(["agent", "other"]);
  await latchkey.serverTime();
  const agents = await latchkey.installed("agent");
  if (agents === null) throw new Error("no agents");
  await agents.get("a1");
  expect(await agents.get("a9")).toBeNull();
  await agents.history("a1");
  await agents.count();
  await all(agents.list());
  await all(agents.list({ stuck: true }));
  await all(agents.events({ after: "start", follow: false }));
  const others = await (await latchkey.installed("other"))?.subscribe(() => {});
  await (await agents.subscribe(() => {})).close();
  await others?.close();
  await agents.waitFor("a1", () => true);
  await agents.reactions();
  await all(agents.deadLetters("cleanup"));
  await all(agents.pendingEvents("cleanup"));
  await weigh();
}

/** Runs a reaction that fails, retries one dead letter and drops another. */
async function react(agents: Entities<AgentState>): Promise<void> {
  const reaction = await agents.react(
    "cleanup",
    () => {
      throw new Error("no");
    },
    { deadLetterAfter: 1 },
  );
  await agents.create("r1");
  await agents.create("r2");
  const letters = agents.deadLetters("cleanup");
  const ids = async () => (await all(letters)).map(({ id }) => id);
  await expect.poll(ids).toHaveLength(2);
  const [first = "", second = ""] = await ids();
  await letters.retry([first]);
  await letters.drop([second]);
  await expect.poll(ids).not.toContain(first);
  await reaction.close();
}

describe("the list of commands", () => {
  test("contains every command in the built scripts, each of which is written out", () => {
    for (const operation of operations) {
      const code = builtText(operation).replace(/--.*$/gm, "");
      const calls = code.match(/\b(?:redis\.p)?call\s*\(/g) ?? [];
      const named = [...code.matchAll(/\bcall\('([A-Z]+(?:', 'STREAM)?)'/g)].map(([, name = ""]) =>
        name.toLowerCase().replace("', '", "|"),
      );
      expect(named.length).toBe(calls.length);
      expect(named.filter((name) => !writerCommands().includes(name))).toEqual([]);
    }
  });

  test("contains exactly the commands that the client sends", async () => {
    const { server, admin } = await ownServer({ appendOnly: true, args: ["--appendfsync", "always"] });
    const namespace = "here";
    for (const kind of ["writer", "reader"] as const) {
      const line = userLine(kind, namespace).split(" ");
      await admin.call(...(line as [string, ...string[]]));
    }
    const as = (username: string) => connect({ url: server.url, namespace, username, password: "PASSWORD" });
    const writer = await as("here-writer");
    await admin.config("RESETSTAT");
    const fresh = await as("here-writer");
    await fresh.init();
    const agents = await fresh.machine(timed);
    await fresh.machine({ ...timed, name: "other" });
    await agents.create("a1", { taskId: "t1" });
    await agents.transition("a1", "running", { set: { x: 1 } });
    await agents.patch("a1", { unset: ["x"] });
    await (await agents.hold("a1")).close();
    await agents.sweep({ once: true });
    await react(agents);
    await lookAtAll(fresh, () => weigh(server, "here-writer"));
    const followed = agents.events({ after: "end" })[Symbol.asyncIterator]();
    const next = followed.next();
    await expect.poll(() => subscribed(admin, namespace, "agent")).toBe(1);
    await agents.transition("a1", "completed");
    expect((await next).value).toMatchObject({ state: "completed" });
    await admin.call("ACL", "SETUSER", "here-writer", "+config|get");
    await agents.patch("a1", { set: { x: 2 }, durability: "fsync" });
    const copied = agents.patch("a1", { set: { x: 3 }, durability: { replicas: 1, timeoutMs: 1 } });
    await rejectionOf(NotDurableError, copied);
    await agents.remove("a1");
    expect(await check(server, "here-writer")).toEqual([]);
    const written = await calledSince(server);
    expect(written.filter((name) => !writerCommands().includes(name))).toEqual([]);
    const texts = [...operations.map(builtText), ...Object.values(reactionScripts).map(({ text }) => text)];
    const inScripts = new Set(texts.flatMap((text) => text.replaceAll("', '", "|").match(/'[A-Z|]+/g) ?? []));
    const ownCalls = writerCommands().filter((name) => !inScripts.has(`'${name.toUpperCase()}`));
    expect(ownCalls.filter((name) => !written.includes(name))).toEqual([]);
    await fresh.close();

    await agentsAgain(writer);
    await admin.script("FLUSH");
    await admin.config("RESETSTAT");
    const reader = await as("here-reader");
    await lookAtAll(reader, () => weigh(server, "here-reader"));
    const looked = (await reader.installed("agent"))?.events({ after: "end" })[Symbol.asyncIterator]();
    const seen = looked?.next();
    await expect.poll(() => subscribed(admin, namespace, "agent")).toBe(1);
    expect(await check(server, "here-reader")).toEqual(["unchecked"]);
    // A check asks what installs machines too, which readers may not run.
    const asked = (await calledSince(server)).filter((name) => !readerCommands().includes(name));
    expect(asked).toEqual(["evalsha"]);
    await reader.close();
    await seen;
    const called = await calledSince(server);
    expect(readerCommands().filter((name) => !called.includes(name))).toEqual([]);
    await writer.close();
  });

  test("marks the commands for reactions only", () => {
    expect(REACTION_ONLY.filter((name) => !writerCommands().includes(name))).toEqual([]);
    expect(REACTION_ONLY.filter((name) => name.startsWith("x")).sort()).toEqual(
      "xack xclaim xdel xgroup|create xgroup|delconsumer xgroup|destroy xgroup|setid xinfo|consumers xinfo|groups xlen xpending xreadgroup".split(
        " ",
      ),
    );
  });

  test("has a sample call for every command", () => {
    for (const command of [...writerCommands(), "select"]) {
      for (const [name, sub] of samplesOf(command, location)) {
        const words = `${name} ${sub}`.toLowerCase();
        expect(words.startsWith(command.replace("|", " "))).toBe(true);
      }
    }
    expect(() => samplesOf("flushall", location)).toThrow("has no sample call of flushall");
  });

  test("is enough for every write of the scripts", async () => {
    const server = await useValkey();
    const standing = await machine(parcel);
    await standing.ok("create", "p1", "SET", "m", "1");
    const rules = allRules("writer", standing.namespace);
    const { username, password } = await user(server, ...rules);
    const calls = new Calls(await adminOf(server, { username, password }), "parcel", standing.namespace);
    for (let n = 0; n < 4; n++) await calls.ok("patch", "p1", "SET", "n", n);
    await calls.ok("transition", "p1", "sent", "UNSET", "m");
    await calls.ok("transition", "p1", "packed");
    await calls.ok("remove", "p1");
    expect((await calls.apply({ ...parcel, version: 2 }))[0]).toBe("OK");
    expect(
      await calls.error("patch", new Calls(calls.valkey, "none", calls.namespace).keys("p2"), [
        "p2",
        "SET",
        "n",
        "1",
      ]),
    ).toMatch(/^NOMACHINE/);
  });
});

async function agentsAgain(latchkey: Latchkey): Promise<void> {
  const agents = await latchkey.machine(timed);
  await agents.create("a1");
}

/** Runs fsck as a user and returns the kinds of its findings. */
async function check(server: TestServer, username: string): Promise<string[]> {
  const connection = await connected({ url: server.url, username, password: "PASSWORD" });
  const kinds: string[] = [];
  for await (const { kind } of fsck(connection, "here", "agent")) kinds.push(kind);
  return kinds;
}

/** Runs stats as a user. */
async function weigh(server: TestServer, username: string): Promise<void> {
  const connection = await connected({ url: server.url, username, password: "PASSWORD" });
  const definition = compileMachine(timed);
  await stats({ connection, location, definition });
}
