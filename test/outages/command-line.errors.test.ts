import { beforeAll, expect, test } from "vitest";
import type { ClusterServers } from "../../faults/servers/cluster.js";
import { agent, partitionOf } from "../../src/index.js";
import { built, root } from "../helpers/built.js";
import { ownCluster } from "../helpers/cluster.js";
import { clusterClient, LONG, mortalCluster } from "../helpers/cluster-clients.js";
import { startLatchkey } from "../helpers/long-run.js";
import { tryRun } from "../helpers/run.js";
import { freshNamespace } from "../helpers/valkey.js";

beforeAll(built);

/** The command line on a cluster, in a namespace of one partition with the agent a1. */
async function onCluster({ url }: ClusterServers) {
  const namespace = freshNamespace();
  const env = { PATH: process.env.PATH, LATCHKEY_NAMESPACE: namespace };
  const run = (words: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    tryRun(process.execPath, ["bin/latchkey.js", ...words, "--url", url], {
      cwd: root,
      env: { ...env, ...more },
    });
  for (const line of ["init --partitions 1", "apply", "create a1"])
    expect((await run(line.split(" "))).exit).toBe(0);
  return { run, namespace, url };
}

test("a command that needs a server which is down names it, and the command that examines the cluster: 7", async () => {
  const cluster = await mortalCluster(0);
  const { run, namespace, url } = await onCluster(cluster);
  const { server, port } = await cluster.ownerOf(`{${namespace}:0}`);
  await server.kill9();
  const get = async () => (await run(["get", "a1"])).stderr.replace(/slot \d+/, "slot N");
  await expect
    .poll(get, LONG)
    .toMatch(
      RegExp(
        `127\\.0\\.0\\.1:${port}, which holds slot N( and the facts of the namespace, without which nothing starts)?: connection refused.*\n  try: node bin/latchkey\\.js doctor --url ${url.replaceAll("+", "\\+")}\n$`,
      ),
    );
  expect(await run(["create", "a2", "-o", "json"])).toMatchObject({
    exit: 7,
    stdout: "",
    stderr: expect.stringMatching(/"hint":"node bin\/latchkey\.js doctor --url [^"]*"/),
  });
});

test("a command waits for a failover as long as --timeout and LATCHKEY_TIMEOUT allow", async () => {
  // A failover takes longer than the default time limit of 5 s.
  const cluster = await ownCluster({ replicas: 1, nodeTimeoutMs: 8_000 });
  const { run, namespace } = await onCluster(cluster);
  const primary = await cluster.ownerOf(`{${namespace}:0}`);
  await cluster.awaitReplicas(primary);
  await primary.server.kill9();
  const [option, variable] = await Promise.all([
    run(["get", "a1", "-o", "name", "--timeout", "5m"]),
    run(["get", "a1", "-o", "name"], { LATCHKEY_TIMEOUT: "5m" }),
  ]);
  expect([option, variable]).toMatchObject([{ exit: 0 }, { exit: 0 }]);
});

test.each([["sweep"], ["events --follow"]])(
  "latchkey %s waits for the server with the facts of the namespace, and reports it",
  async (line) => {
    const cluster = await ownCluster({
      nodeTimeoutMs: 2_000,
      settings: { "cluster-require-full-coverage": "no", appendonly: "yes" },
    });
    const { run, namespace, url } = await onCluster(cluster);
    const home = await cluster.ownerOf(`{${namespace}}`);
    await home.server.kill9();
    const words = [...line.split(" "), "--url", url, "--namespace", namespace];
    const service = await startLatchkey(words);
    await service.noted(
      `server unreachable, retrying: cannot use Valkey at valkey://127.0.0.1:${home.port}, `,
    );
    const other = await startLatchkey(words);
    await other.noted("server unreachable, retrying: ");
    other.child.kill("SIGINT");
    expect(await other.ended).toMatchObject({ exit: 130, stdout: "" });
    expect((await run(["sweep", "--once"])).exit).toBe(7);
    expect((await run(["events"])).exit).toBe(7);
    await home.server.restart();
    await service.noted("connected\n");
    service.child.kill("SIGINT");
    expect((await service.ended).exit).toBe(130);
  },
);

test("ids are completed from the servers that reply, while another one is down", async () => {
  const cluster = await mortalCluster(0);
  const namespace = freshNamespace();
  const latchkey = await clusterClient(cluster, { namespace, timeout: "30s" });
  await latchkey.init(8);
  const agents = await latchkey.machine(agent());
  const ids = Array.from({ length: 30 }, (_, at) => `a${at}`);
  await Promise.all(ids.map((id) => agents.create(id)));
  const home = await cluster.ownerOf(`{${namespace}}`);
  const owners = await Promise.all(
    Array.from({ length: 8 }, (_, partition) => cluster.ownerOf(`{${namespace}:${partition}}`)),
  );
  const victim = owners.find((owner) => owner !== home);
  await victim?.server.kill9();
  const kept = ids.filter((id) => owners[partitionOf(id, 8)] !== victim);
  const env = { PATH: process.env.PATH, LATCHKEY_NAMESPACE: namespace, LATCHKEY_COMPLETION_MS: "10000" };
  const words = ["bin/latchkey.js", "__complete", "--", "get", "--url", cluster.url, "a"];
  const { exit, stdout } = await tryRun(process.execPath, words, { cwd: root, env });
  expect(exit).toBe(0);
  expect(stdout.trim().split("\n").sort()).toEqual(kept.sort());
});

test.each(["valkey+cluster://127.0.0.1:1,127.0.0.1:2", "valkey+sentinel://127.0.0.1:1,127.0.0.1:2/main"])(
  "a command without any server at %s does not recommend to start a single one: 7",
  async (url) => {
    const ended = await tryRun(process.execPath, ["bin/latchkey.js", "get", "a1", "--url", url], {
      cwd: root,
    });
    expect(ended).toMatchObject({ exit: 7, stdout: "" });
    expect(ended.stderr).toContain(`error: cannot use Valkey at ${url}: `);
    expect(ended.stderr).not.toContain("latchkey dev");
  },
);
