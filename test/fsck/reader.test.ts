import type { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import { allRules } from "../../src/doctor/rights/lines.js";
import { fsck } from "../../src/fsck/fsck.js";
import { connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { connection } from "../helpers/calls.js";
import { adminOf, connected, ownServer } from "../helpers/doctor.js";
import { type DoctorContext, hands, patient, type Report, ticket } from "../helpers/fsck.js";

/** A connection with the rules that the doctor prints for a kind of user of the namespace, and others. */
async function userOf(kind: "reader" | "writer", it: DoctorContext, ...more: string[]): Promise<Valkey> {
  const name = `${kind}-${it.latchkey.namespace}`;
  const rules = allRules(kind, it.latchkey.namespace);
  await (await hands()).call("ACL", "SETUSER", name, "reset", "on", ">secret", ...rules, ...more);
  return connection({ username: name, password: "secret" });
}

const told = ({ findings }: Report): string[] =>
  findings.map(({ kind, result, message }) => [kind, result, message].join(": "));

const NOT_ASKED = "unchecked: unchecked: whether apply would write the machine as it is was not asked";

describe.each([1, 3])("with %i partitions, the reader that the doctor recommends", (partitions) => {
  it("finds nothing where nothing is wrong, and is told what could not be checked", async () => {
    const it = await patient(partitions);
    const report = await it.fsck({ strict: true }, await userOf("reader", it));
    expect(told(report)).toEqual([`${NOT_ASKED}: this user lacks the rights of a writer (NOPERM)`]);
    expect(report.checked).toEqual({ partitions, entities: 4, events: 9 });
  });

  it("finds what is wrong", async () => {
    const it = await patient(partitions);
    await (await hands()).zrem(it.key("a1", "index"), "a1");
    await (await hands()).lpop(it.key("a2", "log:a2"));
    const { findings } = await it.fsck({}, await userOf("reader", it));
    expect(findings.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual([
      "index-missing a1",
      "log-short a2",
      "unchecked ",
    ]);
  });
});

it("the writer that the doctor recommends checks all of it, and mends", async () => {
  const it = await patient();
  await (await hands()).zrem(it.key("a1", "index"), "a1");
  const writer = await userOf("writer", it);
  expect(
    (await it.fsck({ repair: true }, writer)).findings.map(({ kind, result }) => [kind, result]),
  ).toEqual([["index-missing", "mended"]]);
  expect(told(await it.fsck({}, await userOf("writer", it)))).toEqual([]);
});

it("a walk over all keys is left out where the user may not, and told; with the right it is made", async () => {
  const it = await patient();
  const denied = await it.fsck({ deep: true }, await userOf("reader", it));
  expect(told(denied)).toEqual([
    `${NOT_ASKED}: this user lacks the rights of a writer (NOPERM)`,
    "unchecked: unchecked: all keys were not walked over: this user may not (NOPERM)",
  ]);
  expect(denied.findings[1]?.why).toBe("grant it with ACL SETUSER <user> +scan, or leave out --deep");
  const allowed = await it.fsck({ deep: true }, await userOf("reader", it, "+scan"));
  expect(allowed.findings).toHaveLength(1);
});

describe("a replica", () => {
  async function replica() {
    const { server, admin } = await ownServer({ args: ["--repl-diskless-sync-delay", "0"] });
    const latchkey = await connect({ url: server.url, namespace: "here" });
    onTestFinished(() => latchkey.close());
    await latchkey.init(2);
    const tickets = await latchkey.machine(ticket);
    await tickets.create("a1");
    await admin.del("{here:0}:ticket:index", "{here:1}:ticket:index");
    const copy = await startValkey({ args: ["--replicaof", server.host, String(server.port)] });
    onTestFinished(() => copy.stop());
    const there = await adminOf(copy);
    await expect.poll(() => there.info("replication")).toContain("master_link_status:up");
    return connected({ url: copy.url });
  }

  it("is checked; what takes a script is told as not checked", async () => {
    const steps = fsck(await replica(), "here", "ticket");
    const findings = [];
    for await (const finding of steps) findings.push(finding);
    expect(findings.map(({ kind, id, result }) => [kind, id, result])).toEqual([
      ["unchecked", "", "unchecked"],
      ["index-missing", "a1", "mendable"],
    ]);
    expect(findings[0]?.message).toContain("the server is a replica");
  });

  it("is not mended: a clear error, before anything is checked", async () => {
    const steps = fsck(await replica(), "here", "ticket", { repair: true });
    await expect(steps.next()).rejects.toMatchObject({
      code: "NOTEXECUTED",
      message: "fsck ticket can't repair here: the server is a replica; connect to its primary",
    });
  });
});

it("a server that refuses scripts for a while is checked all the same, but for what takes one", async () => {
  const { server, admin } = await ownServer();
  const latchkey = await connect({ url: server.url, namespace: "here" });
  onTestFinished(() => latchkey.close());
  await (await latchkey.machine(ticket)).create("a1");
  await admin.config("SET", "min-replicas-to-write", "1");
  const findings = [];
  for await (const finding of fsck(await connected({ url: server.url }), "here", "ticket"))
    findings.push(finding);
  expect(findings.map(({ message }) => message)).toEqual([
    "whether apply would write the machine as it is was not asked: the server refuses scripts now (NOREPLICAS)",
  ]);
});
