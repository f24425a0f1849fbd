import { beforeAll, describe, expect, test } from "vitest";
import { agent, connect } from "../../../src/index.js";
import { library, manifest, type Operation } from "../../../src/lua/index.js";
import { entityKeys } from "../../../src/valkey/keys.js";
import { built } from "../../helpers/built.js";
import { adminOf } from "../../helpers/doctor.js";
import { roleUser } from "../../helpers/role.js";
import { expectNothingElse } from "../../helpers/role-denials.js";

beforeAll(built);

const location = { namespace: "here", machine: "agent", partitions: 1 };

/** Creates a user who calls functions, after an operator has loaded the library and an owner has made agent a1. */
async function caller(words: string) {
  const user = await roleUser(words);
  await using owner = await connect({ url: user.server.url, namespace: "here" });
  await (await owner.machine(agent())).create("a1");
  await user.admin.call("FUNCTION", "LOAD", library);
  const client = await adminOf(user.server, { username: user.username, password: "PASSWORD" });
  const call = async (operation: Operation, id: string, ...args: string[]) => {
    const keys = entityKeys(location, id);
    const name = operation === "get" ? "FCALL_RO" : "FCALL";
    const { function: called } = manifest.operations[operation];
    return client.call(name, called, String(keys.length), ...keys, id, ...args);
  };
  return { user, client, call };
}

describe("a user of the function library", () => {
  test("who is a writer changes entities by FCALL, and may run no script", async () => {
    const { user, client, call } = await caller("writer --functions");
    expect(await call("transition", "a1", "running")).toMatchObject({ 0: "OK" });
    expect(await call("patch", "a1", "SET", "n", "1")).toMatchObject({ 0: "OK" });
    expect(await call("get", "a1")).toMatchObject({ 0: "OK" });
    expect(await call("remove", "a1")).toMatchObject({ 0: "OK" });
    await expect(client.script("LOAD", "return 1")).rejects.toThrow("NOPERM");
    await expectNothingElse(user, "all");
  });

  test("who is a reader may only get", async () => {
    const { user, call } = await caller("reader --functions");
    expect(await call("get", "a1")).toMatchObject({ 0: "OK" });
    await expect(call("patch", "a1", "SET", "n", "1")).rejects.toThrow("NOPERM");
    await expectNothingElse(user, "none");
  });

  test("who is a restorer restores", async () => {
    const { user, call } = await caller("restorer --functions");
    const seen = ["OP", "o1", "SEEN", "0-0"];
    expect(
      await call("restore", "a7", "running", "7", "1700000000000", "1700000000000", ...seen),
    ).toMatchObject({ 0: "OK" });
    await expect(call("create", "a8")).rejects.toThrow("NOPERM");
    await expectNothingElse(user, "all");
  });
});
