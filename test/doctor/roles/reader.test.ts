import { beforeAll, test } from "vitest";
import { connect } from "../../../src/index.js";
import { built } from "../../helpers/built.js";
import { roleUser } from "../../helpers/role.js";
import { expectNothingElse } from "../../helpers/role-denials.js";
import { expectDenied, LOOKS, lookAtAll, prepare, runAll } from "../../helpers/role-work.js";

beforeAll(built);

test("a reader reads everything by exactly its permissions, and may do nothing else", async () => {
  const user = await roleUser("reader");
  await using owner = await connect({ url: user.server.url, namespace: "here" });
  await prepare(owner);
  await user.admin.script("FLUSH");
  await user.watch(async () => {
    const latchkey = await user.connect();
    await lookAtAll(latchkey);
    await runAll(user, LOOKS);
    const agents = await latchkey.installed("agent");
    await expectDenied(
      () => agents?.create("a2"),
      () => agents?.transition("a1", "completed"),
      () => agents?.patch("a1", { set: { n: 1 } }),
      () => agents?.heartbeat("a1"),
      () => agents?.remove("a1"),
    );
  });
  await user.expectExact();
  await expectNothingElse(user, "none");
});
