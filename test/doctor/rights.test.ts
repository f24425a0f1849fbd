import { describe, expect, test } from "vitest";
import { rights } from "../../src/doctor/checks/rights.js";
import { DoctorContext } from "../../src/doctor/context.js";
import { allRules, userLine } from "../../src/doctor/rights/lines.js";
import {
  CHECKS,
  REACTS,
  readerCommands,
  STATS,
  WAITS,
  writerCommands,
} from "../../src/doctor/rights/needs.js";
import { samplesOf } from "../../src/doctor/rights/samples.js";
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
import { adminOf, connected, finding, findings, ownServer, user, userOf } from "../helpers/doctor.js";
import { builtText } from "../helpers/lua-source.js";
import { parcel } from "../helpers/parcel.js";
import { record } from "../helpers/recorder.js";
import { useValkey } from "../helpers/valkey.js";

const operations = Object.keys(scripts) as Operation[];
const location = { namespace: "here", machine: "agent", partitions: 1 };
/** Asked of everyone, or of the test itself; CONFIG GET is granted for waits for disks only, since it tells passwords. */
const NOT_COUNTED = ["auth", "hello", "acl|setuser", "config|resetstat", "client|list", "config|get"];

/** The commands that the server was called with since `CONFIG RESETSTAT`. */
async function calledSince(server: TestServer): Promise<string[]> {
  const stats = await (await adminOf(server)).info("commandstats");
  const names = [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name]) => String(name));
  return names.filter((name) => !NOT_COUNTED.includes(name)).sort();
}

const timed = agent({ version: 2, spawnTimeout: "1h", lease: "1h" });

/** Everything that the client offers to those who only look. */
async function lookAtAll(latchkey: Latchkey, weigh: () => Promise<void>): Promise<void> {
  expect(await latchkey.machines()).toEqual(["agent"]);
  await latchkey.serverTime();
  const agents = await latchkey.installed("agent");
  if (agents === null) throw new Error("no agents");
  await agents.get("a1");
  await agents.history("a1");
  await agents.count();
  await all(agents.list());
  await all(agents.list({ stuck: true }));
  await all(agents.events({ after: "start", follow: false }));
  await (await agents.subscribe(() => {})).close();
  await agents.waitFor("a1", () => true);
  await agents.reactions();
  await all(agents.deadLetters("cleanup"));
  await weigh();
}

/** What those do who react: a failure, a dead letter that is retried and another that is dropped. */
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

describe("what is needed", () => {
  test("holds every command in the built scripts, and none is called by a name that is not written out", () => {
    for (const operation of operations) {
      const code = builtText(operation).replace(/--.*$/gm, "");
      const calls = code.match(/\b(?:redis\.p)?call\s*\(/g) ?? [];
      const named = [...code.matchAll(/\bcall\('([A-Z]+)'/g)].map(([, name = ""]) => name.toLowerCase());
      expect(named.length).toBe(calls.length);
      expect(named.filter((name) => !writerCommands().includes(name))).toEqual([]);
    }
  });

  test("is exactly what the client sends: all of it, and nothing else", async () => {
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
    await agents.create("a1", { taskId: "t1" });
    await agents.transition("a1", "running", { set: { x: 1 } });
    await agents.patch("a1", { unset: ["x"] });
    await (await agents.hold("a1")).close();
    await agents.sweep({ once: true });
    await react(agents);
    await lookAtAll(fresh, () => weigh(server, "here-writer"));
    const followed = agents.events({ after: "end" })[Symbol.asyncIterator]();
    const next = followed.next();
    await untilInside(server, "xread");
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
    await admin.config("RESETSTAT");
    const reader = await as("here-reader");
    await lookAtAll(reader, () => weigh(server, "here-reader"));
    const looked = (await reader.installed("agent"))?.events({ after: "end" })[Symbol.asyncIterator]();
    const seen = looked?.next();
    await untilInside(server, "xread");
    expect(await check(server, "here-reader")).toEqual(["unchecked"]);
    // A check asks what installs machines too, which is refused to readers.
    const asked = (await calledSince(server)).filter((name) => !readerCommands().includes(name));
    expect(asked).toEqual(["evalsha"]);
    await reader.close();
    await seen; // a blocked XREAD counts when it ends
    const called = await calledSince(server);
    expect(readerCommands().filter((name) => !called.includes(name) && name !== "xread")).toEqual([]);
    await writer.close();
  });

  test("is told apart where it is for reactions alone", () => {
    expect(REACTS.filter((name) => !writerCommands().includes(name))).toEqual([]);
    expect(REACTS.filter((name) => name.startsWith("x")).sort()).toEqual(
      "xack xclaim xdel xgroup|create xgroup|delconsumer xgroup|destroy xgroup|setid xinfo|consumers xinfo|groups xpending xreadgroup".split(
        " ",
      ),
    );
  });

  test("has a call to ask with for every command", () => {
    for (const command of [...writerCommands(), "select"]) {
      for (const [name, sub] of samplesOf(command, location)) {
        const words = `${name} ${sub}`.toLowerCase();
        expect(words.startsWith(command.replace("|", " "))).toBe(true);
      }
    }
    expect(() => samplesOf("flushall", location)).toThrow("knows no call of flushall");
  });

  test("is enough for the scripts to write everything they may ever write", async () => {
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

/** Checks the agents of the namespace as a user, and tells what was found. */
async function check(server: TestServer, username: string): Promise<string[]> {
  const connection = await connected({ url: server.url, username, password: "PASSWORD" });
  const found: string[] = [];
  for await (const { kind } of fsck(connection, "here", "agent")) found.push(kind);
  return found;
}

/** Weighs the agents of the namespace as a user. */
async function weigh(server: TestServer, username: string): Promise<void> {
  const connection = await connected({ url: server.url, username, password: "PASSWORD" });
  const definition = compileMachine(timed);
  await stats({ connection, location, definition });
}

/** Waits until a client is inside a command. */
async function untilInside(server: TestServer, command: string): Promise<void> {
  const admin = await adminOf(server);
  await expect.poll(() => admin.call("CLIENT", "LIST")).toContain(`cmd=${command}`);
}

/** The two ways to ask: by ACL DRYRUN, and by a transaction that is never executed. */
describe.each([
  ["asked by dry run", ["+acl|dryrun"]],
  ["asked by transaction", []],
])("rights, %s", (_way, way) => {
  test("of a writer are complete", async () => {
    const visit = await userOf("writer", ...way);
    expect(await finding("rights", visit)).toMatchObject({
      level: "ok",
      seen: `user ${visit.username} lacks nothing`,
    });
  });

  test("of a reader are a note, with the line that makes it a writer", async () => {
    const visit = await userOf("reader", ...way);
    const found = await finding("rights", visit);
    expect(found).toMatchObject({
      level: "note",
      seen: `user ${visit.username} may look, and change nothing`,
    });
    await visit.admin.call(...((found.mend ?? "").split(" ") as [string, ...string[]]));
    expect(await finding("rights", visit)).toMatchObject({ level: "ok" });
  });

  test("of a reader that may not check are a note that says so", async () => {
    const visit = await userOf("reader", ...way, "-zscan", "-llen");
    expect(await finding("rights", visit)).toMatchObject({
      level: "note",
      seen: `user ${visit.username} may look, and change nothing`,
      means: "enough for get, list, history and events, but fsck is refused with NOPERM",
    });
    await visit.admin.call("ACL", "SETUSER", visit.username, "+zscan", "+llen", "-memory|usage", "-xpending");
    expect(await finding("rights", visit)).toMatchObject({
      means:
        "enough for get, list, history and events, but reactions are refused with NOPERM, and stats is refused with NOPERM",
    });
    await visit.admin.call("ACL", "SETUSER", visit.username, "+memory|usage", "+xpending");
    expect(await finding("rights", visit)).toMatchObject({
      means: "enough for get, list, history and events, and to check with fsck",
    });
  });

  test("of a writer without several that it can do without are a note that names each loss", async () => {
    const visit = await userOf("writer", ...way, "-zscan", "-wait");
    expect(await finding("rights", visit)).toMatchObject({
      level: "note",
      means:
        "enough for changes, but none that asks for durability can be waited for, and fsck is refused with NOPERM",
      mend: `ACL SETUSER ${visit.username} +wait +zscan`,
    });
  });

  test("of a writer without CONFIG GET are a further note: durability fsync needs it, and the line mends that", async () => {
    const visit = await userOf("writer", ...way);
    const found = await finding("rights/fsync", visit);
    expect(found).toMatchObject({
      level: "note",
      seen: `user ${visit.username} may not ask CONFIG GET`,
      mend: `ACL SETUSER ${visit.username} +config|get`,
    });
    expect(found.means).toContain("NotDurableError");
    expect((await finding("rights", visit)).means).toContain("but for CONFIG GET");
    await visit.admin.call(...((found.mend ?? "").split(" ") as [string, ...string[]]));
    expect((await findings(visit)).map(({ id }) => id)).not.toContain("rights/fsync");
    expect((await finding("rights", visit)).means).not.toContain("CONFIG GET");
  });

  test("of a reader, or of a writer that may not wait, say nothing of CONFIG GET", async () => {
    for (const visit of [await userOf("reader", ...way), await userOf("writer", ...way, "-waitaof")]) {
      expect((await findings(visit)).map(({ id }) => id)).not.toContain("rights/fsync");
    }
  });

  test.each(writerCommands().filter((command) => !["multi", "info"].includes(command)))(
    "without %s are bad, but for waits, reactions and checks a note, and exactly that is to be granted",
    async (command) => {
      const visit = await userOf("writer", ...way, `-${command}`);
      const found = await finding("rights", visit);
      expect(found.level).toBe([...WAITS, ...REACTS, ...CHECKS, ...STATS].includes(command) ? "note" : "bad");
      expect(found.mend).toBe(`ACL SETUSER ${visit.username} +${command}`);
      await visit.admin.call(...((found.mend ?? "").split(" ") as [string, ...string[]]));
      expect(await finding("rights", visit)).toMatchObject({ level: "ok" });
    },
  );

  test("on the keys of another namespace only are bad, and the keys are to be granted", async () => {
    const visit = await userOf("writer", ...way, "resetkeys", "~{other:*");
    const found = await finding("rights", visit);
    expect(found).toMatchObject({
      level: "bad",
      mend: `ACL SETUSER ${visit.username} ~{${visit.namespace}:* ~{${visit.namespace}}:meta`,
    });
  });

  test("without the namespace's facts are bad too", async () => {
    const visit = await userOf("writer", ...way, "resetkeys", "~{NS:*");
    expect(await finding("rights", visit)).toMatchObject({ level: "bad" });
  });

  test("on another channel only are bad, and the channel is to be granted", async () => {
    const visit = await userOf("writer", ...way, "resetchannels", "&other:*");
    expect(await finding("rights", visit)).toMatchObject({
      level: "bad",
      mend: `ACL SETUSER ${visit.username} &${visit.namespace}:*`,
    });
  });
});

describe("rights", () => {
  test("in another database include SELECT", async () => {
    const visit = await userOf("writer", "+acl|dryrun", "+select");
    const elsewhere = { ...visit, connection: await connected({ ...visit, url: `${visit.url}/1` }) };
    const look = async () =>
      rights(new DoctorContext(elsewhere.connection, { namespace: visit.namespace, machine: "agent" }));
    expect(await look()).toMatchObject({ level: "ok" });
    await visit.admin.call("ACL", "SETUSER", visit.username, "-select");
    expect(await look()).toMatchObject({ level: "bad", mend: `ACL SETUSER ${visit.username} +select` });
    expect(await finding("rights", visit)).toMatchObject({ level: "ok" });
  });

  test("that can't be asked are bad, and the line makes the user a writer", async () => {
    const visit = await user(await useValkey(), "-@all");
    const found = await finding("rights", visit);
    expect(found).toMatchObject({
      level: "bad",
      seen: expect.stringContaining("can't be asked without +multi"),
    });
    await visit.admin.call(...((found.mend ?? "").split(" ") as [string, ...string[]]));
    expect(await finding("rights", visit)).toMatchObject({ level: "ok" });
  });

  test("of the default user are more than needed: a note, with the line of a writer", async () => {
    const { url } = await useValkey();
    expect(await finding("rights", { url, namespace: "here" })).toMatchObject({
      level: "note",
      mend: userLine("writer", "here"),
    });
  });

  test("are asked without a change of the data", async () => {
    for (const way of [["+acl|dryrun"], []]) {
      const { server, admin } = await ownServer();
      const visit = await user(server, ...allRules("writer", "NS"), ...way);
      const recorder = await record(admin, `${visit.namespace}:agent:events`);
      await findings(visit);
      expect(await recorder.published()).toEqual([]);
      expect(await admin.dbsize()).toBe(0);
      expect(await admin.script("EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")).toEqual([0]); // return 1
    }
  });
});

test("a user without any rights is told what to grant for each check, and no check fails", async () => {
  const visit = await user(await useValkey(), "-@all");
  const all = await findings(visit);
  const denied = all.filter(({ needs }) => needs !== undefined);
  expect(new Set(denied.map(({ needs }) => needs))).toEqual(
    new Set([
      "+info",
      "+config|get",
      "+acl|getuser",
      "+function|stats",
      "+function|list",
      "+script|exists",
      "+time",
      "+hmget",
    ]),
  );
  for (const { id, level, seen, mend, needs } of denied) {
    expect([id, level, seen, mend]).toEqual([
      id,
      "note",
      `not allowed to look: needs ${needs}`,
      `ACL SETUSER ${visit.username} ${needs}`,
    ]);
  }
  expect(all.find(({ id }) => id === "role")).toMatchObject({ level: "ok" });
  expect(all.find(({ id }) => id === "server")).toMatchObject({ level: "ok" });
  const grants = denied.map(({ needs }) => String(needs));
  await visit.admin.call("ACL", "SETUSER", visit.username, ...grants, ...allRules("writer", visit.namespace));
  expect((await findings(visit)).filter(({ needs }) => needs !== undefined)).toEqual([]);
});
