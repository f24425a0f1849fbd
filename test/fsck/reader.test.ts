import type { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { fsck } from "../../src/fsck/fsck.js";
import { connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin, connection } from "../helpers/calls.js";
import { adminOf, connected, ownServer } from "../helpers/doctor.js";
import { type FsckReport, type TicketFixture, ticket, ticketFixture } from "../helpers/fsck.js";

/** Connects as a user with the permissions of a role, and others. */
async function userOf(
  kind: "reader" | "writer" | "operator",
  fixture: TicketFixture,
  ...more: string[]
): Promise<Valkey> {
  const name = `${kind}-${fixture.latchkey.namespace}`;
  const rules = allRules({ roles: [kind], namespace: fixture.latchkey.namespace });
  await (await admin()).call("ACL", "SETUSER", name, "reset", "on", ">secret", ...rules, ...more);
  return connection({ username: name, password: "secret" });
}

const lines = ({ findings }: FsckReport): string[] =>
  findings.map(({ kind, result, message }) => [kind, result, message].join(": "));

const NOT_COMPARED = "unchecked: unchecked: the installed machine was not compared with its definition";

describe.each([1, 3])("with %i partitions, a reader", (partitions) => {
  it("finds nothing in an undamaged namespace, and reports what it could not check", async () => {
    const fixture = await ticketFixture(partitions);
    const report = await fixture.fsck({ strict: true }, await userOf("reader", fixture));
    expect(lines(report)).toEqual([`${NOT_COMPARED}: this user lacks the permissions of a writer (NOPERM)`]);
    expect(report.checked).toEqual({ partitions, skipped: 0, entities: 4, events: 9 });
  });

  it("finds damage", async () => {
    const fixture = await ticketFixture(partitions);
    await (await admin()).zrem(fixture.key("a1", "index"), "a1");
    await (await admin()).lpop(fixture.key("a2", "log:a2"), 2);
    const { findings } = await fixture.fsck({}, await userOf("reader", fixture));
    expect(findings.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual([
      "index-missing a1",
      "log-short a2",
      "unchecked ",
    ]);
  });
});

it("an operator checks everything, and repairs", async () => {
  const fixture = await ticketFixture();
  await (await admin()).zrem(fixture.key("a1", "index"), "a1");
  const operator = await userOf("operator", fixture);
  expect(
    (await fixture.fsck({ repair: true }, operator)).findings.map(({ kind, result }) => [kind, result]),
  ).toEqual([["index-missing", "repaired"]]);
  expect(lines(await fixture.fsck({}, await userOf("operator", fixture)))).toEqual([]);
});

it("a scan of all keys needs a permission, and is reported as unchecked without it", async () => {
  const fixture = await ticketFixture();
  const denied = await fixture.fsck({ deep: true }, await userOf("reader", fixture));
  expect(lines(denied)).toEqual([
    `${NOT_COMPARED}: this user lacks the permissions of a writer (NOPERM)`,
    "unchecked: unchecked: the keys of the server were not scanned: permission denied (NOPERM)",
  ]);
  expect(denied.findings[1]?.why).toBe("grant it with ACL SETUSER <user> +scan, or leave out --deep");
  const allowed = await fixture.fsck({ deep: true }, await userOf("reader", fixture, "+scan"));
  expect(allowed.findings).toHaveLength(1);
});

it.each(["reader", "writer"] as const)(
  "a %s cannot repair, which is an error before anything is checked, and nothing changes",
  async (role) => {
    const fixture = await ticketFixture();
    const user = await userOf(role, fixture);
    const isRejected = (): Promise<void> =>
      expect(fixture.fsck({ repair: true }, user)).rejects.toMatchObject({
        code: "NOTEXECUTED",
        reply: "NOPERM",
        message:
          "fsck ticket cannot repair: this user lacks the permissions of an operator; " +
          "`latchkey acl --role operator` prints them (NOPERM)",
      });
    await isRejected();
    await (await admin()).zrem(fixture.key("a1", "index"), "a1");
    await isRejected();
    expect(await fixture.results()).toEqual(["index-missing a1 repairable"]);
  },
);

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

  it("is checked, except for what needs a script", async () => {
    const steps = fsck(await replica(), "here", "ticket");
    const findings = [];
    for await (const finding of steps) findings.push(finding);
    expect(findings.map(({ kind, id, result }) => [kind, id, result])).toEqual([
      ["unchecked", "", "unchecked"],
      ["index-missing", "a1", "repairable"],
    ]);
    expect(findings[0]?.message).toContain("the server is a replica");
  });

  it("cannot be repaired, which is an error before anything is checked", async () => {
    const steps = fsck(await replica(), "here", "ticket", { repair: true });
    await expect(steps.next()).rejects.toMatchObject({
      code: "NOTEXECUTED",
      message: "fsck ticket cannot repair here: the server is a replica; connect to its primary",
    });
  });
});

it("a server that rejects scripts is checked, except for what needs a script", async () => {
  const { server, admin } = await ownServer();
  const latchkey = await connect({ url: server.url, namespace: "here" });
  onTestFinished(() => latchkey.close());
  await (await latchkey.machine(ticket)).create("a1");
  await admin.config("SET", "min-replicas-to-write", "1");
  const findings = [];
  for await (const finding of fsck(await connected({ url: server.url }), "here", "ticket"))
    findings.push(finding);
  expect(findings.map(({ message }) => message)).toEqual([
    "the installed machine was not compared with its definition: the server rejects scripts now (NOREPLICAS)",
  ]);
});
