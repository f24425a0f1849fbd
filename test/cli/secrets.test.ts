import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Valkey } from "iovalkey";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { agent, connect } from "../../src/index.js";
import { freePort } from "../../src/server/port.js";
import { startValkey } from "../../src/testing/index.js";
import { built, root } from "../helpers/built.js";
import { certificate } from "../helpers/certificates.js";
import { adminOf, startWithPassword } from "../helpers/doctor.js";
import { freshFolder } from "../helpers/folder.js";
import { startProxy, type TcpProxy } from "../helpers/proxy.js";
import { type Ended, tryRun } from "../helpers/run.js";
import { expectNoSecrets, secretsIn } from "../helpers/secrets.js";
import { freshNamespace } from "../helpers/valkey.js";

beforeAll(built);

const PASSWORD = 'plantedPassword:/@%"1';
const WRONG = 'plantedWrong:/@%"2';
const OWN_VALUE = 'plantedOwnValue "3"';
const SET_BY_MACHINE = 'plantedDefinition "4"';

interface Scene {
  readonly boss: Valkey;
  readonly proxy: TcpProxy;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

interface Trouble {
  /** Brings the server into trouble; may lead elsewhere, or change the password that is given. */
  readonly begin: (scene: Scene) => Promise<{ url?: string; password?: string } | undefined>;
  /** Stands in what some command prints. */
  readonly sign: RegExp;
}

const elsewhere = (url: string) => ({ url });

const troubles: Record<string, Trouble> = {
  "nothing listens": {
    begin: async () => elsewhere(`valkey://default@127.0.0.1:${await freePort()}`),
    sign: /connection refused/,
  },
  "the password is wrong": {
    begin: async () => ({ password: WRONG }),
    sign: /authentication failed/,
  },
  "the certificate is not trusted": {
    begin: async () => {
      const { args } = await certificate();
      const port = await freePort();
      const server = await startValkey({ args: ["--tls-port", String(port), ...args] });
      onTestFinished(() => server.stop());
      return elsewhere(`valkeys://default@localhost:${port}`);
    },
    sign: /not issued by a trusted authority/,
  },
  "the user may run no script": {
    begin: async ({ boss }) => void (await boss.call("ACL", "SETUSER", "default", "-evalsha")),
    sign: /NOPERM/,
  },
  "the user may load no script": {
    begin: async ({ boss }) => {
      await boss.call("ACL", "SETUSER", "default", "-script");
      await boss.script("FLUSH");
      return undefined;
    },
    sign: /NOPERM/,
  },
  "the server is a replica": {
    begin: async ({ boss }) => void (await boss.replicaof("127.0.0.1", 1)),
    sign: /READONLY/,
  },
  "the server is out of memory": {
    begin: async ({ boss }) => void (await boss.config("SET", "maxmemory", "1")),
    sign: /OOM/,
  },
  "answers are lost": {
    begin: async ({ proxy }) => {
      proxy.dropReply("evalsha");
      return undefined;
    },
    sign: /answer was lost|was not executed|"version": ?2/i,
  },
  "the server is gone": {
    begin: async ({ proxy, stop }) => {
      await stop();
      proxy.cut();
      return undefined;
    },
    sign: /cannot use Valkey/,
  },
};

/** A server with a password, a machine and an entity, and a definition that it will not take. */
async function planted() {
  const server = await startWithPassword(PASSWORD);
  const admin = await adminOf(server, { username: "default", password: PASSWORD });
  await admin.call("ACL", "SETUSER", "boss", "on", "nopass", "~*", "&*", "+@all");
  const boss = await adminOf(server, { username: "boss", password: "any" });
  const proxy = await startProxy(server);
  const namespace = freshNamespace();
  const latchkey = await connect({ url: server.url, password: PASSWORD, namespace });
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  await latchkey.close();
  const folder = await freshFolder();
  const [file, passwordFile] = [join(folder, "agent.json"), join(folder, "password")];
  const states = { ...agent().states };
  const timeout = { after: "1h", to: "failed", set: { error: SET_BY_MACHINE } };
  const spawning = { ...states.spawning, timeout };
  await writeFile(file, JSON.stringify({ ...agent(), states: { ...states, spawning } }));
  const scene: Scene = { boss, proxy, port: server.port, stop: () => server.stop() };
  return { scene, namespace, file, passwordFile };
}

const commands = (file: string): string[][] => [
  ["create", "a2", "--set", `token=${OWN_VALUE}`],
  ["transition", "a1", "running", "--set", `token=${OWN_VALUE}`, "-o", "json"],
  ["apply", "-f", file],
  ["list", "-o", "json"],
  ["events", "--after", "start"],
  ["doctor"],
];

for (const [name, { begin, sign }] of Object.entries(troubles)) {
  it(`no command prints a password, script text or what it was to write where ${name}`, async () => {
    const { scene, namespace, file, passwordFile } = await planted();
    const { url = scene.proxy.url.replace("//", "//default@"), password = PASSWORD } =
      (await begin(scene)) ?? {};
    await writeFile(passwordFile, password);
    const encoded = url.replace("default@", `default:${encodeURIComponent(password)}@`);
    const ways: { words: string[]; env: NodeJS.ProcessEnv }[] = [
      { words: [], env: { LATCHKEY_URL: url, LATCHKEY_PASSWORD: password } },
      { words: ["--password-file", passwordFile], env: { VALKEY_URL: url } },
      { words: ["--url", encoded], env: {} },
    ];
    const run = (words: readonly string[], at: number): Promise<Ended> => {
      const way = ways[at % ways.length] ?? { words: [], env: {} };
      const env = { PATH: process.env.PATH, LATCHKEY_NAMESPACE: namespace, ...way.env };
      return tryRun(process.execPath, ["bin/latchkey.js", ...words, ...way.words], { cwd: root, env });
    };
    const ended = await Promise.all(commands(file).map(run));
    const printed = ended.map(({ stdout, stderr }) => stdout + stderr);
    expect(printed.join("\n")).toMatch(sign);
    const failed = ended.filter(({ exit }) => exit !== 0).map(({ stdout, stderr }) => stdout + stderr);
    expect(failed).not.toEqual([]);
    expectNoSecrets(printed, [PASSWORD, WRONG]);
    expectNoSecrets(failed, [OWN_VALUE, SET_BY_MACHINE]);
  });
}

it("what a command prints of a value that was written is its own value, where it succeeds", async () => {
  const { scene, namespace } = await planted();
  const env = {
    PATH: process.env.PATH,
    LATCHKEY_URL: `valkey://127.0.0.1:${scene.port}`,
    LATCHKEY_PASSWORD: PASSWORD,
  };
  const words = ["transition", "a1", "running", "--set", `token=${OWN_VALUE}`, "-o", "json"];
  const { exit, stdout, stderr } = await tryRun(
    process.execPath,
    ["bin/latchkey.js", ...words, "--namespace", namespace],
    { cwd: root, env },
  );
  expect(exit).toBe(0);
  expect(secretsIn([stdout], [OWN_VALUE])).not.toEqual([]);
  expectNoSecrets([stdout, stderr], [PASSWORD]);
});
