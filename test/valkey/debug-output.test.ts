import { beforeAll, expect, it } from "vitest";
import { built, root } from "../helpers/built.js";
import { startWithPassword } from "../helpers/doctor.js";
import { tryRun } from "../helpers/run.js";
import { expectNoSecrets } from "../helpers/secrets.js";
import { watchedBy } from "../helpers/sentinel.js";
import { freshNamespace } from "../helpers/valkey.js";

beforeAll(built);

const PASSWORD = 'plantedPassword:/@%"1';
const SENTINEL_PASSWORD = "plantedSentinel2";

/** Opens every kind of connection, and makes a call on each. */
const PROGRAM = `
import { agent, connect } from "latchkey";
const { URL: url, NAMESPACE: namespace, PASSWORD: password, SENTINEL_PASSWORD } = process.env;
const sentinel = SENTINEL_PASSWORD === undefined ? {} : { sentinel: { password: SENTINEL_PASSWORD } };
const latchkey = await connect({ url, namespace, password, ...sentinel });
const agents = await latchkey.machine(agent());
await agents.subscribe(() => {});
await agents.create("a1", {}, { durability: { replicas: 1, timeoutMs: 1 } }).catch(() => {});
for await (const { type } of agents.events({ after: "start", follow: false })) console.log(type);
await latchkey.close();
`;

async function debugOutput(words: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const all = { PATH: process.env.PATH, ...env };
  const { exit, stdout, stderr } = await tryRun(process.execPath, words, { cwd: root, env: all });
  expect(exit, stderr).toBe(0);
  expect(stderr).toMatch(/write command\[[^\]]+\]: 0 -> auth\(\(hidden\)\)/);
  return stdout + stderr;
}

async function scene(): Promise<NodeJS.ProcessEnv> {
  const server = await startWithPassword(PASSWORD);
  return { URL: server.url, PASSWORD, NAMESPACE: freshNamespace() };
}

const program = ["--input-type=module", "-e", PROGRAM];

it.each(["*", "ioredis:*"])("DEBUG=%s shows no password and no script text", async (DEBUG) => {
  const text = await debugOutput(program, { ...(await scene()), DEBUG });
  expect(text).toContain("agent.spawned");
  expect(text).toMatch(/-> (SCRIPT|script)\(\(hidden\)\)/);
  expectNoSecrets([text], [PASSWORD]);
});

it("DEBUG=* shows no password of a Sentinel", async () => {
  const { URL: url = "", ...env } = await scene();
  const { hostname: host, port } = new URL(url);
  const sentinel = await watchedBy(
    { host, port: Number(port) },
    { replicas: 0, password: SENTINEL_PASSWORD },
  );
  const sentinelUrl = `valkey+sentinel://127.0.0.1:${sentinel}/main`;
  const text = await debugOutput(program, { ...env, URL: sentinelUrl, SENTINEL_PASSWORD, DEBUG: "*" });
  expectNoSecrets([text], [PASSWORD, SENTINEL_PASSWORD]);
});

it("DEBUG=* changes nothing that the command line prints", async () => {
  const { URL: VALKEY_URL, PASSWORD: LATCHKEY_PASSWORD, PATH = process.env.PATH } = await scene();
  const env = { PATH, VALKEY_URL, LATCHKEY_PASSWORD, DEBUG: "*" };
  expect(await tryRun(process.execPath, ["bin/latchkey.js", "apply"], { cwd: root, env })).toEqual({
    exit: 0,
    stdout: "machine/agent installed (version 1)\n",
    stderr: "",
  });
});
