import type { Valkey } from "iovalkey";
import { expect } from "vitest";
import { ADMINISTRATION } from "../../src/doctor/permissions/commands.js";
import { commandsOf, isOfGroup } from "../../src/doctor/permissions/roles.js";
import { isOfReaction, type Sample, samplesOf } from "../../src/doctor/permissions/samples.js";
import { manifest } from "../../src/lua/index.js";
import { adminOf } from "./doctor.js";
import { unchanged } from "./keyspace.js";
import { ALL_SCRIPTS, grantedBy, type RoleUser, serverCommands } from "./role.js";

/** The keys of its namespace that a role may write. */
export type Writable = "all" | "reactions" | "none";

/** Checks that a user may do nothing but what its line grants, and may write no other keys of its namespace. */
export async function expectNothingElse(user: RoleUser, writable: Writable): Promise<void> {
  await expectOnlyItsCommands(user);
  await expectOnlyItsScripts(user);
  await expectOnlyItsNamespace(user);
  if (writable !== "all") await expectReadOnly(user, writable);
  await expectRejections(user, writable);
}

/** Returns the server's objection to a call of a user; OK if it has none. */
async function objection(admin: Valkey, username: string, words: readonly string[]): Promise<string> {
  return String(await admin.call("ACL", "DRYRUN", username, ...words));
}

async function expectOnlyItsCommands({ admin, username, line }: RoleUser): Promise<void> {
  const granted = new Set(grantedBy(line).flatMap(({ name, first }) => (first === undefined ? [name] : [])));
  const allowed: string[] = [];
  for (const { name, words, isFree } of await serverCommands(admin)) {
    if (isFree) continue;
    if (!/to run the/.test(await objection(admin, username, words))) allowed.push(name);
  }
  expect(allowed.sort()).toEqual([...granted].sort());
}

async function expectOnlyItsScripts({ admin, username, line }: RoleUser): Promise<void> {
  const granted = grantedBy(line);
  const functions = Object.values(manifest.operations).map((one) => one.function);
  const firsts = [...ALL_SCRIPTS.map(({ sha1 }) => sha1), "0".repeat(40), ...functions];
  for (const name of ["evalsha", "evalsha_ro", "fcall", "fcall_ro"])
    for (const first of firsts) {
      const isGranted = granted.some((one) => one.name === name && one.first === first);
      const reply = await objection(admin, username, [name, first, "0"]);
      expect([name, first, reply === "OK"]).toEqual([name, first, isGranted]);
    }
}

/** Calls as latchkey makes them, of all commands that any role has. */
function allSamples(namespace: string): readonly (readonly [command: string, sample: Sample])[] {
  const commands = [...new Set([...commandsOf("operator"), ...commandsOf("restorer")])];
  return commands
    .filter((command) => !ADMINISTRATION.includes(command))
    .flatMap((command) =>
      samplesOf(command, { namespace, machine: "agent", partitions: 1 }).map(
        (sample) => [command, sample] as const,
      ),
    );
}

async function expectOnlyItsNamespace({ admin, username }: RoleUser): Promise<void> {
  for (const namespace of ["here2", "her", "other"])
    for (const [command, sample] of allSamples(namespace)) {
      // A call without a key or channel, and UNSUBSCRIBE, reach nothing of a namespace.
      if (command === "unsubscribe" || !sample.some((word) => word.includes(namespace))) continue;
      expect([sample, await objection(admin, username, sample)]).not.toEqual([sample, "OK"]);
    }
}

async function expectReadOnly(
  { admin, username, line }: RoleUser,
  writable: "reactions" | "none",
): Promise<void> {
  const reads = commandsOf("reader");
  for (const [command, sample] of allSamples("here")) {
    const isAllowed =
      (reads.includes(command) && line.split(" ").includes(`+${command}`)) ||
      (writable === "reactions" &&
        commandsOf("reactor").includes(command) &&
        (isOfReaction(sample) || isOfGroup(command)));
    expect([sample, await objection(admin, username, sample)]).toEqual([
      sample,
      isAllowed ? "OK" : expect.not.stringMatching(/^OK$/),
    ]);
  }
}

/** Calls that no role may make. */
const FORBIDDEN = [
  "FLUSHALL",
  "FLUSHDB",
  "CONFIG SET maxmemory 1",
  "KEYS *",
  "EVAL return 0",
  `EVALSHA ${"0".repeat(40)} 0`,
  "SCRIPT FLUSH",
  "FUNCTION FLUSH",
  "ACL SETUSER intruder on nopass +@all",
  "MONITOR",
  "SAVE",
  "SHUTDOWN NOSAVE",
  "CLIENT KILL TYPE normal",
  "SET {here:0}:agent:id:a9 x",
  "HGETALL {other:0}:agent:id:a1",
  "HSET {other:0}:agent:id:a1 state killed",
  "ZADD {here2:0}:agent:index 1 a1",
  "PUBLISH other:agent:events {}",
  "SUBSCRIBE other:agent:events",
  "PSUBSCRIBE *",
  "SPUBLISH here:agent:events {}",
];

/** Raw writes of users who may only read the entities. */
const RAW_WRITES = [
  "HSET {here:0}:agent:id:a1 state killed",
  "DEL {here:0}:agent:id:a1",
  "HSET {here:0}:agent:machine version 9",
  "HSET {here}:meta partitions 9",
  "XADD {here:0}:agent:events * doc {}",
  "XDEL {here:0}:agent:events 1-1",
  "ZREM {here:0}:agent:index a1",
  "ZADD {here:0}:agent:due 0 a1",
  "RPUSH {here:0}:agent:log:a1 x",
  "PUBLISH here:agent:events {}",
];

/** Makes forbidden calls for real. Each is rejected, and nothing has changed. */
async function expectRejections(
  { server, admin, username, connect: open }: RoleUser,
  writable: Writable,
): Promise<void> {
  const client = await adminOf(server, { username, password: "PASSWORD" });
  const sentences = [...FORBIDDEN, ...(writable === "all" ? [] : RAW_WRITES)];
  await unchanged({ valkey: admin, namespace: "" }, async () => {
    for (const sentence of sentences) {
      const [name = "", ...args] = sentence.split(" ");
      const reply = await client.call(name, ...args).catch(String);
      expect([sentence, reply]).toEqual([sentence, expect.stringContaining("NOPERM")]);
    }
    const elsewhere = await open("other").catch((error: unknown) => error);
    expect(elsewhere).toMatchObject({ code: "NOTEXECUTED", reply: "NOPERM" });
  });
}
