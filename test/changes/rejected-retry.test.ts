import { describe, expect, it, onTestFinished } from "vitest";
import { agent, NotFoundError, OutcomeForgottenError, OutcomeUnknownError } from "../../src/index.js";
import { behindProxy, forgetLog, pastServerTime, pushOut, serverMs } from "../helpers/behind-proxy.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { freshNamespace } from "../helpers/valkey.js";

/** Returns the options to repeat a change whose first attempt may be executed from now until `notAfter`. */
async function successor() {
  return { op: "mine", seen: "0-0", timeout: "20s", notAfter: await serverMs() } as const;
}

describe("a notAfter that has passed before the retry of a lost change", () => {
  it("does not hide an applied change that the agent has forgotten", async () => {
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
    expect(await near.get("a1")).toMatchObject({ version: 43 });
  });

  it("is the result if the event log shows that the change was not applied", async () => {
    const { near } = await behindProxy();
    await near.create("a1");
    const repeat = await successor();
    await pushOut(near, "a1");
    await pastServerTime(repeat.notAfter);
    const result = await near.tryTransition("a1", "running", repeat);
    expect(result).toMatchObject({ ok: false, outcome: "EXPIRED", current: { version: 42 } });
    expect(await near.get("a1")).toMatchObject({ state: "spawning", version: 42 });
  });

  it("is reported as FORGOTTEN if neither the agent nor the trimmed log knows the outcome", async () => {
    const { near, namespace } = await behindProxy();
    await near.create("a1");
    const repeat = await successor();
    await near.transition("a1", "running", { op: repeat.op });
    await pushOut(near, "a1");
    await forgetLog(namespace);
    await pastServerTime(repeat.notAfter);
    const error = await rejectionOf(OutcomeForgottenError, near.transition("a1", "running", repeat));
    expect(error).toMatchObject({ code: "FORGOTTEN", current: { state: "running", version: 43 } });
  });

  it("is not the result if the reply was lost within the same call", async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    proxy.shut(true);
    proxy.dropReply("evalsha");
    const notAfter = (await serverMs()) + 900; // before the first attempt ends
    const lost = far.transition("a1", "running", { notAfter, timeout: "30s" });
    await proxy.lost;
    await pushOut(near, "a1");
    await pastServerTime(notAfter);
    proxy.shut(false);
    expect(await lost).toMatchObject({ type: "agent.running", version: 2 });
  });
});

describe("an agent that was removed before the retry of a lost change", () => {
  it("is reported as FORGOTTEN if the log was trimmed, because this call may have removed it", async () => {
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

  it("is reported as FORGOTTEN if the log was trimmed, because the change may precede the removal", async () => {
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

  it("is the result if the log has its removal but not the change", async () => {
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

  it("is the result if no entity was removed since, although the log was trimmed", async () => {
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

it("a machine that was removed before the retry does not hide that the change was applied", async () => {
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

it("a removed machine is not the result if the outcome of a lost change is unknown", async () => {
  const { near, proxy, namespace } = await behindProxy();
  const latchkey = await client({ url: proxy.url, namespace, reinstall: false });
  const far = await latchkey.machine(agent());
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = rejectionOf(OutcomeUnknownError, far.transition("a1", "running"));
  await proxy.lost;
  await pushOut(near, "a1");
  await forgetLog(namespace);
  await (await admin()).del(`{${namespace}:0}:agent:machine`);
  proxy.shut(false);
  expect(await lost).toMatchObject({ code: "UNKNOWN", id: "a1" });
});

it("a removed machine is not the result if the event log cannot be read", async () => {
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

it("an agent that was damaged before the retry does not hide that the change was applied", async () => {
  const { far, near, proxy, namespace } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = far.transition("a1", "running");
  await proxy.lost;
  await (await admin()).hset(`{${namespace}:0}:agent:id:a1`, "times:ms", "?");
  proxy.shut(false);
  expect(await lost).toMatchObject({ type: "agent.running", version: 2 });
});
