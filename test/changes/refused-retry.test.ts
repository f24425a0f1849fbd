import { describe, expect, it, onTestFinished } from "vitest";
import {
  agent,
  ContractError,
  NotFoundError,
  OutcomeForgottenError,
  OutcomeUnknownError,
} from "../../src/index.js";
import { behindProxy, forgetLog, pastServerTime, pushOut, serverMs } from "../helpers/behind-proxy.js";
import { admin, Calls, connection } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { freshNamespace } from "../helpers/valkey.js";

/** What a successor repeats a change with, whose first attempt may have been made from now until `notAfter`. */
async function successor() {
  const timeout = 20_000;
  return { op: "mine", sent: (await serverMs()) - timeout, timeout, notAfter: await serverMs() };
}

describe("notAfter that has passed when a lost change is tried again", () => {
  it("does not hide that the change was made, and forgotten by the agent since", async () => {
    const { near } = await behindProxy();
    await near.create("a1");
    const repeat = await successor();
    await near.transition("a1", "running", { op: repeat.op });
    await pushOut(near, "a1");
    await pastServerTime(repeat.notAfter);
    expect(await near.transition("a1", "running", repeat)).toMatchObject({
      type: "agent.running",
      version: 2,
    });
    expect(await near.get("a1")).toMatchObject({ version: 9 });
  });

  it("does not hide that the change was made after the agent was asked for it", async () => {
    const { near, namespace } = await behindProxy();
    await near.create("a1");
    const monitor = await (await connection()).monitor();
    const key = `{${namespace}:0}:agent:id:a1`;
    const asked = new Promise<void>((resolve) => {
      monitor.on("monitor", (_: string, [name, of]: string[]) => {
        if (name?.toLowerCase() === "hgetall" && of === key) resolve();
      });
    });
    const now = await serverMs();
    const notAfter = now + 3_000;
    const repeat = near.transition("a1", "running", {
      ...{ op: "mine", sent: now - 5_000, timeout: "10s", notAfter },
    });
    await asked;
    monitor.disconnect();
    const late = ["running", "OP", "mine", "NOTAFTER", String(notAfter)];
    await new Calls(await admin(), "agent", namespace).ok("transition", "a1", ...late);
    expect(await repeat).toMatchObject({ state: "running", opVersion: 2 });
  });

  it("is the answer where the log shows that the change was not made", async () => {
    const { near } = await behindProxy();
    await near.create("a1");
    const repeat = await successor();
    await pushOut(near, "a1");
    await pastServerTime(repeat.notAfter);
    const result = await near.tryTransition("a1", "running", repeat);
    expect(result).toMatchObject({ ok: false, outcome: "EXPIRED", current: { version: 8 } });
    expect(await near.get("a1")).toMatchObject({ state: "spawning", version: 8 });
  });

  it("is told as forgotten where neither the agent nor the trimmed log can tell", async () => {
    const { near, namespace } = await behindProxy();
    await near.create("a1");
    const repeat = await successor();
    await near.transition("a1", "running", { op: repeat.op });
    await pushOut(near, "a1");
    await forgetLog(namespace);
    await pastServerTime(repeat.notAfter);
    const error = await rejectionOf(OutcomeForgottenError, near.transition("a1", "running", repeat));
    expect(error).toMatchObject({ code: "FORGOTTEN", current: { state: "running", version: 9 } });
  });

  it("is not the answer where the answer was lost within the same call", async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    proxy.shut(true);
    proxy.dropReply("evalsha");
    const notAfter = (await serverMs()) + 900; // before the first attempt is given up
    const lost = far.transition("a1", "running", { notAfter, timeout: "30s" });
    await proxy.lost;
    await pushOut(near, "a1");
    await pastServerTime(notAfter);
    proxy.shut(false);
    expect(await lost).toMatchObject({ type: "agent.running", version: 2 });
  });
});

describe("an agent that is gone when a lost change is tried again", () => {
  it("is told as forgotten where the log was trimmed: this very call may have removed it", async () => {
    const { far, near, proxy, namespace } = await behindProxy();
    await near.create("a1");
    proxy.shut(true);
    proxy.dropReply("evalsha");
    const lost = rejectionOf(OutcomeForgottenError, far.remove("a1"));
    await proxy.lost;
    await forgetLog(namespace);
    proxy.shut(false);
    expect(await lost).toMatchObject({ code: "FORGOTTEN", current: null });
  });

  it("is told as forgotten where the log was trimmed: its removal may have met the change", async () => {
    const { far, near, proxy, namespace } = await behindProxy();
    await near.create("a1");
    proxy.shut(true);
    proxy.dropReply("evalsha");
    const lost = rejectionOf(OutcomeForgottenError, far.transition("a1", "running"));
    await proxy.lost;
    expect(await near.remove("a1")).toMatchObject({ from: "running", version: 3 });
    await forgetLog(namespace);
    proxy.shut(false);
    expect(await lost).toMatchObject({ code: "FORGOTTEN", current: null });
  });

  it("is the answer where the log has its removal, and not the change", async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    proxy.shut(true);
    proxy.dropRequest("evalsha");
    const lost = rejectionOf(NotFoundError, far.transition("a1", "running"));
    await proxy.lost;
    expect(await near.remove("a1")).toMatchObject({ from: "spawning", version: 2 });
    proxy.shut(false);
    expect(await lost).toMatchObject({ code: "NOTFOUND", current: null });
  });

  it("is the answer where none was removed since, though the log was trimmed", async () => {
    const { far, near, proxy, namespace } = await behindProxy();
    await near.create("a1");
    await near.remove("a1");
    const before = await serverMs();
    await pastServerTime(before + 50); // what the client may be off by
    proxy.shut(true);
    proxy.dropRequest("evalsha");
    const lost = rejectionOf(NotFoundError, far.remove("a1"));
    await proxy.lost;
    await forgetLog(namespace);
    proxy.shut(false);
    expect(await lost).toMatchObject({ code: "NOTFOUND", current: null });
  });
});

it("a machine that is gone when a lost change is tried again does not hide that the change was made", async () => {
  const { far, near, proxy, namespace } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = far.transition("a1", "running");
  await proxy.lost;
  await pushOut(near, "a1");
  await (await admin()).del(`{${namespace}:0}:agent:machine`);
  proxy.shut(false);
  expect(await lost).toMatchObject({ type: "agent.running", version: 2 });
});

it("a machine that is gone is not told as the answer where nobody can tell whether a lost change was made", async () => {
  const { far, near, proxy, namespace } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = rejectionOf(OutcomeForgottenError, far.transition("a1", "running"));
  await proxy.lost;
  await pushOut(near, "a1");
  await forgetLog(namespace);
  await (await admin()).del(`{${namespace}:0}:agent:machine`);
  proxy.shut(false);
  expect(await lost).toMatchObject({ code: "FORGOTTEN", current: { state: "running", version: 9 } });
});

it("a machine that is gone is not told as the answer where the log can't be asked whether a lost change was made", async () => {
  const { near, proxy, namespace } = await behindProxy();
  await near.create("a1");
  const valkey = await admin();
  const user = freshNamespace();
  await valkey.acl("SETUSER", user, "on", ">secret", "~*", "&*", "+@all");
  onTestFinished(async () => void (await valkey.acl("DELUSER", user)));
  const url = proxy.url.replace("//", `//${user}:secret@`);
  const far = await (await client({ url, namespace })).machine(agent());
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = rejectionOf(OutcomeUnknownError, far.transition("a1", "running"));
  await proxy.lost;
  await pushOut(near, "a1");
  await valkey.del(`{${namespace}:0}:agent:machine`);
  await valkey.acl("SETUSER", user, "-xrange");
  proxy.shut(false);
  const error = await lost;
  await valkey.acl("SETUSER", user, "+xrange");
  expect(await error.resolve()).toMatchObject({ outcome: "DONE", version: 2 });
});

it("an agent that was damaged when a lost change is tried again does not hide that the change was made", async () => {
  const { far, near, proxy, namespace } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = far.transition("a1", "running");
  await proxy.lost;
  const damage = { ops: "?", "op:0": "?", "op:1": "?" };
  await (await admin()).hset(`{${namespace}:0}:agent:id:a1`, damage);
  proxy.shut(false);
  expect(await lost).toMatchObject({ type: "agent.running", version: 2 });
});

describe("sent that is later than the server's clock shows, by more than a day", () => {
  it("is refused, with where to take it from, and nothing is done", async () => {
    const latchkey = await client();
    const ours = await latchkey.machine(agent());
    await ours.create("a1");
    const sent = (await serverMs()) + 25 * 3_600_000;
    const error = await rejectionOf(ContractError, ours.patch("a1", { set: { n: 1 }, op: "o1", sent }));
    expect(error.code).toBe("BADARG");
    expect(error.message).toMatch(
      new RegExp(
        `^sent ${sent} is \\d+ ms later than the server's clock shows: ` +
          "it must be the server's time before the first attempt; see serverTime\\(\\)$",
      ),
    );
    expect(await ours.get("a1")).toMatchObject({ version: 1 });
  });

  it("does not hide a change that was made: the clock may have been set back since", async () => {
    const latchkey = await client();
    const ours = await latchkey.machine(agent());
    await ours.create("a1", {}, { op: "o1" });
    const sent = (await serverMs()) + 25 * 3_600_000;
    expect(await ours.create("a1", {}, { op: "o1", sent })).toMatchObject({ version: 1, opVersion: 1 });
  });
});
