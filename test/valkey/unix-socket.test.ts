import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { agent, ConnectError, connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { rejectionOf } from "../helpers/client.js";
import { adminOf } from "../helpers/doctor.js";
import { freshFolder } from "../helpers/folder.js";

it("a Unix socket serves calls, events and subscriptions; credentials and database are used", async () => {
  const path = join(await freshFolder(), "valkey.sock");
  const server = await startValkey({ args: ["--unixsocket", path, "--requirepass", "pw"] });
  onTestFinished(() => server.stop());
  const url = `unix://default:pw@${path}`;
  await using latchkey = await connect({ url, database: 2, namespace: "app" });
  expect(latchkey.address).toBe(`unix://${path}`);
  const agents = await latchkey.machine(agent());
  const heard = new Promise((resolve) => void agents.subscribe(resolve).then(() => agents.create("a1")));
  expect(await heard).toMatchObject({ type: "agent.spawned" });
  const admin = await adminOf(server, { username: "default", password: "pw" });
  expect(await admin.info("keyspace")).toContain("db2:");
  expect(await admin.info("keyspace")).not.toContain("db0:");
});

it("an error names the socket that cannot be used", async () => {
  const folder = await freshFolder();
  const file = join(folder, "file");
  await writeFile(file, "");
  for (const [path, code] of [
    [join(folder, "absent.sock"), "ENOENT"],
    [file, "ECONNREFUSED"],
  ]) {
    const error = await rejectionOf(ConnectError, connect({ url: `unix://me:pw@${path}` }));
    expect(error.reason).toBe("socket");
    expect(error.message).toBe(
      `cannot use Valkey at unix://${path}: no connection to this socket; check its path and permissions, and that a server listens on it (${code})`,
    );
  }
});
