import { Valkey } from "iovalkey";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import {
  type AgentState,
  agent,
  connect,
  type Entities,
  type Latchkey,
  LatchkeyError,
} from "../../src/index.js";
import { startValkey, type TestServer } from "../../src/testing/index.js";
import { missingPermission } from "../../src/valkey/permission.js";
import { rejectionOf } from "../helpers/client.js";
import { allTextsOf, expectNoSecrets, recordingLogger } from "../helpers/secrets.js";
import { isValkey } from "../helpers/server-program.js";

const PASSWORD = "plantedPassword1";
const OWN_VALUE = "plantedOwnValue2";
const USER = isValkey ? "user app" : "the user"; // Redis 7.0 does not name the user
const HINT = "; `latchkey acl --role ROLE` prints the ACL line of a role";
const WRITER = ", which the role writer has; `latchkey acl --role writer` prints its ACL line";

let server: TestServer;
let admin: Valkey;
beforeAll(async () => {
  server = await startValkey();
  admin = new Valkey({ host: server.host, port: server.port });
  await using latchkey = await connect({ url: server.url, namespace: "t" });
  await (await latchkey.machine(agent())).create("a1");
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});
beforeEach(() => admin.script("FLUSH"));

interface User {
  readonly latchkey: Latchkey;
  readonly agents: Entities<AgentState>;
  readonly lines: readonly string[];
}

/** Connects as a user with all permissions, and takes some away. */
async function userWithout(...rules: string[]): Promise<User> {
  await admin.call("ACL", "SETUSER", "app", "reset", "on", `>${PASSWORD}`, "~*", "&*", "+@all");
  const { logger, lines } = recordingLogger();
  const url = `valkey://app:${PASSWORD}@127.0.0.1:${server.port}`;
  const latchkey = await connect({ url, namespace: "t", logger });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await admin.script("FLUSH");
  await admin.call("ACL", "SETUSER", "app", ...rules);
  return { latchkey, agents, lines };
}

const set = { token: OWN_VALUE };

describe("an error names the permission that is missing, without password, script text or own values:", () => {
  it.each<[string[], (user: User) => Promise<unknown>, string]>([
    [
      ["-script"],
      ({ agents }) => agents.patch("a1", { set }),
      `patch agent a1 was not executed: ${USER} lacks the permission +script|load${WRITER} (NOPERM script|load)`,
    ],
    [
      ["-evalsha"],
      ({ agents }) => agents.patch("a1", { set }),
      `patch agent a1 was not executed: ${USER} lacks the permission +evalsha${WRITER} (NOPERM evalsha)`,
    ],
    [
      ["-evalsha_ro"],
      ({ agents }) => agents.get("a1"),
      `get agent a1 was rejected: ${USER} lacks the permission +evalsha_ro${HINT} (NOPERM evalsha_ro)`,
    ],
    [
      ["-hget"],
      ({ agents }) => agents.patch("a1", { set }),
      `patch agent a1 was not executed: ${USER} lacks the permission +hget${WRITER} (NOPERM hget)`,
    ],
    [
      ["-rpush"],
      ({ agents }) => agents.patch("a1", { set }),
      `patch agent a1 was not executed: the user lacks the permission +rpush, or access to its key or channel${WRITER} (NOPERM rpush)`,
    ],
    [
      ["resetchannels"],
      ({ agents }) => agents.patch("a1", { set }),
      `patch agent a1 was not executed: the user lacks the permission +publish, or access to its key or channel${WRITER} (NOPERM publish)`,
    ],
    [
      ["resetkeys"],
      ({ agents }) => agents.patch("a1", { set }),
      `patch agent a1 was not executed: the user lacks access to the keys of the namespace${WRITER} (NOPERM)`,
    ],
    [
      ["-subscribe"],
      ({ agents }) => agents.subscribe(() => {}),
      "permission denied; `latchkey acl --role ROLE` prints the ACL line of a role (NOPERM subscribe)",
    ],
  ])("%s", async (rules, call, text) => {
    const user = await userWithout(...rules);
    const error = await rejectionOf(LatchkeyError, call(user));
    expect(error.message).toContain(text);
    if (error.code === "NOTEXECUTED") expect(error).toMatchObject({ reply: "NOPERM" });
    expectNoSecrets([...allTextsOf(error), ...user.lines], [PASSWORD, OWN_VALUE]);
  });
});

it.each([
  ["can't run this command or subcommand", "the user lacks a permission for a command of the script"],
  ["can't access at least one of the keys mentioned in the command arguments", "access to the keys"],
  ["can't publish to the channel mentioned in the command", "access to the channels"],
])("a denial inside a script of Redis 7.0 is explained: %s", (denial, text) => {
  const missing = missingPermission(`ERR The user executing the script ${denial}`);
  expect(missing).toMatchObject({ code: "NOPERM", text: expect.stringContaining(text) });
});

it("a user without INFO works like any other, on every connection", async () => {
  const { latchkey, agents, lines } = await userWithout("-info");
  await admin.call("CLIENT", "KILL", "USER", "app");
  expect(await latchkey.machines()).toEqual(["agent"]);
  const heard = new Promise(
    (resolve) => void agents.subscribe(resolve).then(() => agents.patch("a1", { set })),
  );
  expect(await heard).toMatchObject({ type: "agent.updated" });
  expect(lines.join("\n")).toContain("this user lacks permission for INFO");
});
