import { describe, expect, onTestFinished, test, vi } from "vitest";
import { connect, defineMachine, type Latchkey } from "../../src/index.js";
import { composed } from "../helpers/composed.js";

// A busy machine needs minutes to start ten containers.
vi.setConfig({ testTimeout: 900_000 });

const SENTINELS = "valkey+sentinel://127.0.0.1:26379,127.0.0.1:26380,127.0.0.1:26381/main";
const CLUSTER = "valkey+cluster://127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003";

const task = defineMachine({
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["late", "done"], timeout: { after: "100ms", to: "late" } },
    late: { to: ["done"] },
    done: {},
  },
});

async function connected(url: string): Promise<Latchkey> {
  const latchkey = await connect({ url, timeout: "5m", retry: { for: "5m" } });
  onTestFinished(() => latchkey.close());
  return latchkey;
}

/** Creates tasks and waits until a sweeper has moved each of them. */
async function sweptTasks(latchkey: Latchkey) {
  const tasks = await latchkey.machine(task);
  const ids = Array.from({ length: 20 }, (_, n) => `t${n}`);
  await Promise.all(ids.map((id) => tasks.create(id)));
  await Promise.all(ids.map((id) => tasks.waitFor(id, "late", { timeout: "5m" })));
  return { tasks, ids };
}

describe.each([
  { topology: "one server", profile: "sweep", sweeper: "sweep", url: undefined, primary: "valkey" },
  ...[{ topology: "Sentinels", profile: "sentinel", url: SENTINELS, primary: "valkey-1" }],
  ...[{ topology: "a cluster", profile: "cluster", url: CLUSTER, primary: "cluster-1" }],
])("the containers of $topology", ({ profile, sweeper = `${profile}-sweep`, url, primary }) => {
  test("run without root, sweep, continue after the primary is killed, and keep the newest changes when they are made anew", async () => {
    const { port, compose } = await composed(sweeper, profile);
    const read = "console.log(process.getuid(), process.getgroups())";
    expect(compose("exec", "-T", sweeper, "node", "-e", read)).toBe("999 [ 999 ]\n");
    const uids = compose("exec", "-T", primary, "grep", "^Uid:", "/proc/1/status");
    expect(uids.trim().split("\t")).toEqual(["Uid:", "999", "999", "999", "999"]);

    const address = url ?? `valkey://127.0.0.1:${port}`;
    const latchkey = await connected(address);
    if (profile === "cluster") await latchkey.init(16);
    const { tasks, ids } = await sweptTasks(latchkey);

    compose("kill", primary);
    const changes = Promise.all(ids.map((id) => tasks.transition(id, "done", { actor: "after the kill" })));
    // Without a replica, changes wait for the server itself.
    if (url === undefined) compose("start", primary);
    await changes;

    compose("down");
    compose("up", "--detach", "--wait", sweeper);
    const again = await (await connected(address)).machine(task);
    for (const id of ids) expect(await again.get(id)).toMatchObject({ state: "done", version: 3 });
  });
});
