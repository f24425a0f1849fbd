import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Valkey } from "iovalkey";
import { expect, test } from "vitest";
import { agent, connect } from "../../../src/index.js";
import { root } from "../../helpers/built.js";
import { adminOf } from "../../helpers/doctor.js";
import { watchedBy } from "../../helpers/sentinel.js";
import { useValkey } from "../../helpers/valkey.js";

/** The words of the line on the page on permissions. */
function words(): string[] {
  const page = readFileSync(join(root, "docs/operations/permissions.md"), "utf8");
  return /^ACL SETUSER \S+ .*sentinel\|.*$/m.exec(page)?.[0].split(" ") ?? [];
}

const commands = words().flatMap((word) => (word.startsWith("+") ? [word.slice(1)] : []));

/** Starts a Sentinel with the user of the page, less some commands. */
async function sentinelWithout(...denied: string[]): Promise<{ admin: Valkey; url: string }> {
  const server = await useValkey();
  const port = await watchedBy(server, { replicas: 0 });
  const admin = await adminOf({ host: "127.0.0.1", port });
  const line = words().filter((word) => !denied.includes(word.slice(1)));
  await admin.call(...(line as [string, ...string[]]));
  return { admin, url: `valkey+sentinel://127.0.0.1:${port}/main` };
}

/** Returns the commands that the Sentinel has denied. */
async function denials(admin: Valkey): Promise<string[]> {
  const log = (await admin.call("ACL", "LOG")) as unknown[][];
  return log.map((entry) => String(entry[entry.indexOf("object") + 1]));
}

const sentinel = { username: "latchkey", password: "PASSWORD" };

test("the user of Sentinels that the page on permissions describes has all permissions", async () => {
  const { admin, url } = await sentinelWithout();
  await using latchkey = await connect({ url, namespace: "t", sentinel });
  await (await latchkey.machine(agent())).create("a1");
  await expect.poll(() => admin.client("LIST")).toMatch(/ name=latchkey-failover .* sub=1 /);
  expect(await denials(admin)).toEqual([]);
});

test.each(commands)("the user of Sentinels needs %s", async (command) => {
  const { admin, url } = await sentinelWithout(command);
  const connecting = connect({ url, namespace: "t", sentinel }).catch(() => undefined);
  await expect.poll(() => denials(admin)).toContain(command);
  await (await connecting)?.close();
});
