import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { ReplacedService } from "../../demo/replaced-service.js";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { startValkey } from "../../src/testing/index.js";
import { built, root } from "../helpers/built.js";
import { connection } from "../helpers/calls.js";
import { freshFolder } from "../helpers/folder.js";
import { unchanged } from "../helpers/keyspace.js";
import { startProxy } from "../helpers/proxy.js";
import { type ReplacedAgents, replacedAgents } from "../helpers/replaced-agents.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

/** More agents than fit into one SCAN step and into the buffers of a pipe, each with a line of output. */
const MANY = 1_500;

/** Lets the service make many agents without an error text. */
async function many(): Promise<ReplacedAgents> {
  const line = await replacedAgents();
  const { service } = line;
  const ids = Array.from({ length: MANY }, (_, n) => `${"agent-".repeat(12)}${n}`);
  await Promise.all(
    ids.map(async (id) => {
      await service.registerSpawnedAgent(id, "t1");
      await service.transitionToFailed(id, undefined as never);
    }),
  );
  return line;
}

/** Starts an import whose output nobody reads, so that it cannot finish. Resolves when the first lines are written. */
async function startUnread({ env, pattern }: ReplacedAgents, url?: string) {
  const words = ["bin/latchkey.js", "import", "--from-service", pattern, "-o", "jsonl"];
  const child = spawn(process.execPath, words, {
    cwd: root,
    env: { ...env, ...(url !== undefined && { LATCHKEY_URL: url }) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  await once(child.stdout, "readable");
  const read = async (): Promise<{ exit: number | null; stderr: string }> => {
    const closed = once(child, "close");
    child.stdout.resume();
    const [exit] = await closed;
    return { exit, stderr };
  };
  return { child, read };
}

test("an import that Ctrl-C ends reports that it is not complete, and the next one continues", async () => {
  const line = await many();
  const { child, read } = await startUnread(line);
  child.kill("SIGINT");
  const { exit, stderr } = await read();
  expect(exit).toBe(130);
  expect(stderr).toContain("The import is not complete. Run the command again to continue.\n");
  const first = Number(/: (\d+) imported \(\d+ keys\)$/m.exec(stderr)?.[1]);
  const { failed } = await line.agents.count();
  expect(first).toBeGreaterThan(0);
  expect(failed).toBe(first);
  expect(failed).toBeLessThan(MANY);
  const rest = await line.load("-o", "json");
  expect(rest.exit).toBe(0);
  expect(JSON.parse(rest.stdout)).toMatchObject({ imported: MANY - first, skipped: first, keys: MANY });
});

test("an import that is killed loses nothing, and the next one continues", async () => {
  const line = await many();
  const { child } = await startUnread(line);
  child.kill("SIGKILL");
  await once(child, "close");
  const { failed } = await line.agents.count();
  expect(failed).toBeLessThan(MANY);
  expect((await line.load()).stderr).toContain(`(${MANY} keys)`);
  expect(await line.agents.count()).toMatchObject({ failed: MANY });
  expect(await line.run(["fsck"])).toMatchObject({ exit: 0, stdout: "" });
});

test("an import whose connection is cut scans again, and counts each key once", async () => {
  const line = await many();
  const proxy = await startProxy(await useValkey());
  const { read } = await startUnread(line, proxy.url);
  proxy.cut();
  const { exit, stderr } = await read();
  expect({ exit, stderr }).toEqual({
    exit: 0,
    stderr: expect.stringContaining(`machine/agent: ${MANY} imported (${MANY} keys)\n`),
  });
  expect(await line.agents.count()).toMatchObject({ failed: MANY });
});

test("a server that goes away ends the import: 7, with what was done until then", async () => {
  const line = await many();
  const proxy = await startProxy(await useValkey());
  const { read } = await startUnread(line, proxy.url);
  proxy.shut(true);
  proxy.cut();
  const { exit, stderr } = await read();
  expect(exit).toBe(7);
  expect(stderr).toMatch(/^machine\/agent: \d+ imported \(\d+ keys\)$/m);
  expect(stderr).toContain("The import is not complete. Run the command again to continue.\n");
  expect(stderr).toMatch(/^\{"error":\{"code":"(?:UNKNOWN|NOTEXECUTED)"/m);
  expect((await line.load()).exit).toBe(0);
  expect(await line.agents.count()).toMatchObject({ failed: MANY });
});

test("an import that was killed while it replaced an agent is continued by the next one", async () => {
  const { service, agents, load } = await replacedAgents();
  await service.registerSpawnedAgent("a1", "t1");
  await load();
  const [created] = await agents.history("a1");
  await service.transitionToRunning("a1");
  // What the import does first; then it is killed.
  await agents.remove("a1", { ifVersion: 1, op: `${created?.op}:replaced` });
  const { exit, stderr } = await load();
  expect(exit).toBe(0);
  expect(stderr).toContain("machine/agent: 1 imported (1 key)\n");
  expect(await agents.get("a1")).toMatchObject({ state: "running", version: 1 });
});

test("two imports at once import each agent once", async () => {
  const { service, agents, load } = await replacedAgents();
  for (let n = 0; n < 100; n += 1) await service.registerSpawnedAgent(`a${n}`, "t1");
  const both = await Promise.all([load("-o", "json"), load("-o", "json")]);
  const [one, other] = both.map(({ stdout }) => JSON.parse(stdout));
  expect(both.map(({ exit }) => exit)).toEqual([0, 0]);
  expect([one.imported + other.imported, one.skipped + other.skipped]).toEqual([100, 100]);
  expect(await agents.count()).toMatchObject({ spawning: 100 });
  for await (const { id } of agents.list()) expect(await agents.history(id)).toHaveLength(1);
});

test("the old keys may be on another server, in another database, behind a password", async () => {
  const line = await replacedAgents();
  const old = await startValkey({ args: ["--requirepass", "s3cret"] });
  onTestFinished(() => old.stop());
  const source = await connection({ username: "default", password: "s3cret" }, old);
  await source.select(3);
  await new ReplacedService(source).registerSpawnedAgent("a1", "t1");
  const url = `valkey://${old.host}:${old.port}/3`;
  const words = ["import", "--from-service", "--source-url", url];
  const rejected = await unchanged(line, () => line.run(words));
  expect(rejected).toMatchObject({ exit: 7, stdout: "" });
  const file = join(await freshFolder(), "password");
  await writeFile(file, "s3cret\n");
  const ended = await line.run([...words, "--source-password-file", file]);
  expect(ended).toMatchObject({ exit: 0, stdout: "" });
  expect(ended.stderr).toContain(`valkey-cli -u ${url} --scan --pattern 'orchestrator:agent:*'`);
  expect(await line.agents.get("a1")).toMatchObject({ state: "spawning", taskId: "t1" });
  const secret = await line.run([
    "import",
    "--from-service",
    "--source-url",
    url.replace("//", "//default:s3cret@"),
  ]);
  expect(secret).toMatchObject({ exit: 0, stdout: "" });
  expect(secret.stderr).toContain("warning: a password in --source-url is visible in the process list");
  expect(secret.stderr).not.toContain("s3cret");
});

test("each missing permission is named, with the command that grants all", async () => {
  const line = await replacedAgents();
  const { service, valkey, namespace, pattern, env } = line;
  await service.registerSpawnedAgent("a1", "t1");
  const user = `${namespace}-importer`;
  const rules = allRules({ roles: ["restorer"], namespace }).filter((rule) => rule !== "+restore");
  await valkey.call("ACL", "SETUSER", user, "reset", "on", ">few", ...rules);
  const { host, port } = await useValkey();
  const as = { ...env, LATCHKEY_URL: `valkey://${user}@${host}:${port}`, LATCHKEY_PASSWORD: "few" };
  const load = () => line.run(["import", "--from-service", pattern], as);
  const read = `try: ACL SETUSER ${user} +scan +get %R~${pattern}\n`;
  const steps: [grant: string, error: string, hint: string][] = [
    ["+scan", "lacks the permission +scan (NOPERM scan)\n", read],
    ["+get", "lacks the permission +get (NOPERM get)\n", read],
    [`%R~${pattern}`, "lacks access to the keys (NOPERM)\n", read],
    ["+restore", "the permission +restore, or access to its key", `try: ACL SETUSER ${user} +restore\n`],
  ];
  for (const [grant, error, hint] of steps) {
    const { exit, stdout, stderr } = await unchanged(line, load);
    expect({ exit, stdout }).toEqual({ exit: 7, stdout: "" });
    expect(stderr).toContain(error);
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain("latchkey acl");
    await valkey.call("ACL", "SETUSER", user, grant);
  }
  expect(await load()).toMatchObject({ exit: 0, stdout: "" });
  expect(await line.agents.get("a1")).not.toBeNull();
});
