import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { connect } from "../../../src/index.js";
import { built } from "../../helpers/built.js";
import { rejection } from "../../helpers/client.js";
import { freshFolder } from "../../helpers/folder.js";
import { roleUser } from "../../helpers/role.js";
import { expectNothingElse } from "../../helpers/role-denials.js";
import { expectDenied, lookAtAll, prepare, runAll } from "../../helpers/role-work.js";

beforeAll(built);

const KEY = "orchestrator:agent:s1";
const agentOf = (taskId: string): string => JSON.stringify({ agentId: "s1", taskId, status: "spawning" });

test("a restorer restores and imports by exactly its permissions, and may do nothing else", async () => {
  const user = await roleUser("restorer");
  const { admin, server } = user;
  await using owner = await connect({ url: server.url, namespace: "here" });
  await prepare(owner);
  const reading = ["+client|setname", "+info", "+scan", "+get", "%R~orchestrator:agent:*"];
  await admin.call("ACL", "SETUSER", "source", "reset", "on", ">PASSWORD", ...reading);
  const file = join(await freshFolder(), "password");
  await writeFile(file, "PASSWORD");
  const source = `--source-url ${server.url.replace("://", "://source@")} --source-password-file ${file}`;
  const load = `import --from-service ${source}`;
  await admin.set(KEY, agentOf("t1"));
  await admin.script("FLUSH");
  await user.watch(async () => {
    const latchkey = await user.connect();
    const agents = await latchkey.installed("agent");
    await agents?.restore("r1", "running", { version: 7 });
    const copied = agents?.restore("r2", "running", {
      version: 7,
      durability: { replicas: 1, timeoutMs: 1 },
    });
    expect(await rejection(Promise.resolve(copied))).toMatchObject({ code: "NOTDURABLE" });
    await agents?.remove("r1");
    await lookAtAll(latchkey);
    await runAll(user, [["restore r3 running --at-version 3"]]);
    await expectDenied(
      () => agents?.create("a2"),
      () => agents?.transition("a1", "killed"),
      () => agents?.react("x", () => {}),
    );
  });
  await user.expectExact();
  await runAll(user, [[load]]);
  await admin.set(KEY, agentOf("t2"));
  await runAll(user, [[load]]);
  expect(await (await owner.installed("agent"))?.get("s1")).toMatchObject({ taskId: "t2" });
  await expectNothingElse(user, "all");
});
