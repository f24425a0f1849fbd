import { beforeAll, expect, test } from "vitest";
import { connect } from "../../../src/index.js";
import { built } from "../../helpers/built.js";
import { all } from "../../helpers/client.js";
import { roleUser } from "../../helpers/role.js";
import { expectNothingElse } from "../../helpers/role-denials.js";
import { CHANGES, changeAll, lookAtAll, OPERATIONS, prepare, runAll } from "../../helpers/role-work.js";

beforeAll(built);

test("an operator runs every command by exactly its permissions, and may do nothing else", async () => {
  const user = await roleUser("operator");
  const { admin } = user;
  await using owner = await connect({ url: user.server.url, namespace: "here" });
  await prepare(owner);
  const agents = await owner.installed("agent");
  const [first, second] = agents === null ? [] : await all(agents.deadLetters("cleanup"));
  await admin.zrem("{here:0}:agent:index", "a1");
  await admin.script("FLUSH");
  await user.watch(async () => {
    await runAll(user, [["fsck --deep", 1], ["fsck --repair --deep"], ["fsck --deep"]]);
    const latchkey = await user.connect();
    await changeAll(latchkey);
    await lookAtAll(latchkey);
    await runAll(user, [
      ...CHANGES,
      ...OPERATIONS.map(
        ([words]) =>
          [words.replace("FIRST", String(first?.id)).replace("SECOND", String(second?.id))] as const,
      ),
    ]);
    const doctor = await user.run("doctor");
    expect(doctor.stdout).not.toContain("denied");
    expect(await user.run("restore a7 running --at-version 7")).toMatchObject({ exit: 7, stdout: "" });
  });
  // The doctor asks for the user `default` only on versions whose replay depends on it.
  await user.expectExact(["acl|getuser"]);
  await expectNothingElse(user, "all");
  await runAll(user, [["lua load"]]);
});
