import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startValkey } from "../../src/testing/index.js";
import { built } from "../helpers/built.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { freshFolder } from "../helpers/folder.js";
import { startLatchkey } from "../helpers/long-run.js";
import { watchedBy } from "../helpers/sentinel.js";

beforeAll(built);

const QUERY =
  "error: the server URL has a query, which is not supported; db: write the database as path, as in valkey://localhost:6379/2, or use the option database\n";

describe("the URL of a server", () => {
  test("with a query is a usage error that names the option to use: 2", async () => {
    const { run, url } = await commandLine();
    const [option, variable, json] = await Promise.all([
      run(["count", "--url", `${url}?db=2`]),
      run(["count"], { LATCHKEY_URL: `${url}/?db=2` }),
      run(["count", "-o", "json"], { LATCHKEY_URL: "", VALKEY_URL: `${url}/?db=2` }),
    ]);
    for (const ended of [option, variable]) expect(ended).toEqual({ exit: 2, stdout: "", stderr: QUERY });
    expect(json?.exit).toBe(2);
    expect(jsonError(json)).toMatchObject({ code: "USAGE", message: expect.stringContaining("has a query") });
  });

  test("with a database other than 0 needs a namespace of its own: 2", async () => {
    const { run, url, namespace } = await commandLine();
    for (const words of [["count"], ["machines"], ["doctor"], ["dev"]]) {
      const shared = await run([...words, "--url", `${url}/3`], { LATCHKEY_NAMESPACE: "" });
      expect(shared).toMatchObject({ exit: 2, stdout: "" });
      expect(shared.stderr).toBe(
        'error: database 3 cannot be used with the namespace "latchkey": publish/subscribe ignores databases, so two applications would receive each other\'s events; use a namespace of your own (option namespace, --namespace or LATCHKEY_NAMESPACE)\n',
      );
    }
    const own = await run(["machines", "--url", `${url}/3`, "--namespace", namespace]);
    expect(own).toMatchObject({ exit: 0 });
  });

  test("can be that of a Unix socket; commands to paste lead there too", async () => {
    const path = join(await freshFolder(), "valkey.sock");
    const server = await startValkey({ args: ["--unixsocket", path] });
    onTestFinished(() => server.stop());
    const { run } = await commandLine();
    const url = `unix://${path}`;
    expect((await run(["apply"], { LATCHKEY_URL: url })).exit).toBe(0);
    expect((await run(["create", "a1", "--url", url])).exit).toBe(0);
    expect((await run(["get", "a1", "--url", url])).stdout).toContain(` --url ${url}\n`);
    await server.stop();
    const gone = await run(["get", "a1", "--url", url]);
    expect(gone).toMatchObject({ exit: 7, stdout: "" });
    expect(gone.stderr).toContain(`error: cannot use Valkey at ${url}: no connection to this socket;`);
  });

  test("can be that of Sentinels; commands to paste lead there too, without a password", async () => {
    const { run, url, agents, namespace } = await agentCommandLine();
    await agents.create("a1");
    const { hostname, port } = new URL(url);
    const sentinel = await watchedBy({ host: hostname, port: Number(port) }, { replicas: 0 });
    const hosts = `127.0.0.1:${sentinel},127.0.0.1:${sentinel}/main`;
    const { stdout, stderr } = await run(["get", "a1", "--url", `valkey+sentinel://default:sesame@${hosts}`]);
    expect(stdout).toContain(`transition a1 running --url valkey+sentinel://default@${hosts}\n`);
    expect(stdout + stderr).not.toContain("sesame");
    expect((await run(["count", "--namespace", namespace])).exit).toBe(0);
  });

  test.runIf(process.platform === "linux")("leaves no password in the process list", async () => {
    const { url, env } = await agentCommandLine();
    const words = ["events", "--follow", "--url", url.replace("//", "//default:sesame@")];
    const { child, ended } = await startLatchkey(words, env);
    const list = () => readFile(`/proc/${child.pid}/cmdline`, "utf8");
    await expect.poll(list).toMatch(/^latchkey\0*$/);
    child.kill("SIGINT");
    expect((await ended).stderr).toContain("a password in --url is visible in the process list");
  });
});

test("a reason and an actor in several lines are stored in one", async () => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  const text = "\u001b[31mexit 1\u001b[39m\n\tboom\n";
  expect((await run(["transition", "a1", "running", "--reason", text, "--actor", text])).exit).toBe(0);
  expect((await agents.history("a1")).at(-1)).toMatchObject({ actor: "exit 1 boom", reason: "exit 1 boom" });
  expect((await run(["patch", "a1", "--set", "x=1", "--reason", ""])).exit).toBe(0);
  expect((await agents.history("a1")).at(-1)).not.toHaveProperty("reason");
});
