import { beforeAll, expect, test } from "vitest";
import { agent, connect } from "../../../src/index.js";
import { built } from "../../helpers/built.js";
import { rejection } from "../../helpers/client.js";
import { roleUser } from "../../helpers/role.js";
import { expectNothingElse } from "../../helpers/role-denials.js";
import { CHANGES, changeAll, expectDenied, lookAtAll, prepare, runAll } from "../../helpers/role-work.js";
import { hasWaitaof } from "../../helpers/server-program.js";

beforeAll(built);

test("a writer changes and reads everything by exactly its permissions, and may do nothing else", async () => {
  const user = await roleUser("writer");
  await using owner = await connect({ url: user.server.url, namespace: "here" });
  await prepare(owner);
  await user.admin.script("FLUSH");
  await user.watch(async () => {
    const latchkey = await user.connect();
    await changeAll(latchkey);
    await lookAtAll(latchkey);
    await runAll(user, CHANGES);
    const agents = await latchkey.installed("agent");
    await expectDenied(
      () => agents?.restore("a7", "running", { version: 7 }),
      () => agents?.react("audit", () => {}),
      () => agents?.forgetReaction("cleanup"),
    );
  });
  await user.expectExact();
  await expectNothingElse(user, "all");
  await runAll(user, [["lua load"]]);
});

test("a writer starts with an empty namespace", async () => {
  const user = await roleUser("writer");
  await changeAll(await user.connect());
});

test.runIf(hasWaitaof)("a writer waits for disks by exactly its permissions", async () => {
  const user = await roleUser("writer --fsync", { appendOnly: true, args: ["--appendfsync", "always"] });
  await user.watch(async () => {
    const agents = await (await user.connect()).machine(agent());
    await agents.create("a1", {}, { durability: "fsync" });
  });
  expect(user.line).toContain(" +config|get ");
  expect(user.commands()).toEqual(expect.arrayContaining(["config|get", "waitaof"]));
});

test("a writer of one machine may not change another one", async () => {
  const user = await roleUser("writer -m agent");
  await using owner = await connect({ url: user.server.url, namespace: "here" });
  await prepare(owner);
  const latchkey = await user.connect();
  const agents = await latchkey.installed("agent");
  await agents?.create("a2");
  await agents?.remove("a2");
  await runAll(
    user,
    CHANGES.filter(([words]) => !words.startsWith("sweep")),
  );
  await runAll(user, [["sweep --once -m agent"]]);
  const others = await (await owner.installed("other"))?.create("o1");
  expect(others).toMatchObject({ version: 1 });
  expect(await rejection(latchkey.installed("other"))).toMatchObject({ reply: "NOPERM" });
  expect(await user.run("create o2 -m other")).toMatchObject({ exit: 7, stdout: "" });
});
