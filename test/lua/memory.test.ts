import { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library, manifest, type Operation } from "../../src/lua/index.js";
import { startValkey } from "../../src/testing/index.js";
import { type Argument, Calls, type Definition, evalsha, op, type Reply } from "../helpers/calls.js";
import { unchanged } from "../helpers/keyspace.js";

/** A machine whose timers expire at once, and whose event log keeps as little as possible. */
const job = {
  name: "job",
  version: 1,
  initial: "busy",
  states: {
    busy: {
      to: ["waiting", "lost", "done"],
      lease: { for: 1, to: "lost", set: { error: '"no sign of life"' } },
    },
    waiting: { to: ["busy"], timeout: { after: 1, to: "busy" } },
    lost: { to: ["busy"] },
    done: { retain: 1 },
  },
  events: { keep: 1 },
} satisfies Definition;

const LARGE = ["SET", "text", JSON.stringify("x".repeat(60_000))];

const servers: { stop(): Promise<unknown> }[] = [];
afterAll(async () => void (await Promise.all(servers.map((server) => server.stop()))));

/** Runs scripts by FCALL instead of EVALSHA. */
class FunctionCalls extends Calls {
  override run(operation: Operation, id: string, ...args: Argument[]): Promise<Reply> {
    const keys = this.keys(id);
    const { function: name } = manifest.operations[operation];
    return this.valkey.fcall(name, keys.length, ...keys, id, ...args) as Promise<Reply>;
  }
}

/** Fills a server of its own with entities of 60 kB, the ids e0, e1 and so on, until a creation gets OOM. */
async function filled(way: string): Promise<{ calls: Calls; count: number }> {
  const server = await startValkey({ args: ["--maxmemory", "12mb", "--maxmemory-policy", "noeviction"] });
  const valkey = new Valkey({ host: server.host, port: server.port });
  servers.push(server, { stop: async () => valkey.disconnect() });
  await valkey.call("FUNCTION", "LOAD", library);
  for (const operation of Object.keys(manifest.operations) as Operation[]) {
    await evalsha(valkey, operation, [], []).catch(() => {}); // loads the script
  }
  const calls = way === "FCALL" ? new FunctionCalls(valkey, "job") : new Calls(valkey, "job");
  await calls.apply(job);
  for (let count = 0; ; count++) {
    const [outcome] = await calls
      .run("create", `e${count}`, ...LARGE)
      .catch((error: Error) => [error.message]);
    if (outcome !== "OK") {
      expect(outcome).toMatch(/^OOM /);
      expect(count).toBeGreaterThan(50);
      return { calls, count };
    }
    if (count % 4 === 1) await calls.run("transition", `e${count}`, "waiting").catch(() => {});
    if (count % 4 === 2) await calls.run("transition", `e${count}`, "done").catch(() => {});
  }
}

describe.each(["EVALSHA", "FCALL"])("on a full server, by %s", (way) => {
  let calls: Calls;
  let count: number;
  beforeAll(async () => ({ calls, count } = await filled(way)));

  it("rejects every script that takes memory before any write, and reads", async () => {
    for (const [operation, id, ...args] of [
      ["create", "new"],
      ["transition", "e0", "lost"],
      ["transition", "e0", "done", "DRYRUN"],
      ["patch", "e0", "SET", "n", "1"],
      ["patch", "e0", "UNSET", "text"],
      ["restore", "new", "lost", "1", "0", "1000000000000", ...op("o1")],
    ] as const) {
      const call = () => calls.run(operation, id, ...args).catch((error: Error) => error.message);
      expect([operation, String(await unchanged(calls, call))]).toEqual([
        operation,
        expect.stringMatching(/^OOM /),
      ]);
    }
    const definition = JSON.stringify({ ...job, version: 2 });
    const apply = () => calls.error("apply", calls.applyKeys(), [definition]);
    expect(await unchanged(calls, apply)).toMatch(/^OOM /);
    expect(await calls.run("get", "e0")).toMatchObject([
      "OK",
      expect.stringContaining('"state":"busy"'),
      null,
    ]);
  });

  it("renews leases, fires timeouts, leases and retentions, and removes until creations are accepted again", async () => {
    const last = count - 1 - ((count - 1) % 4); // still busy; all others expire before it
    expect((await calls.run("heartbeat", `e${last}`))[0]).toBe("OK");
    const types = new Map<string, string>();
    for (let n = 0; n < count; n++) {
      const [outcome, document] = await calls.run("expire", `e${n}`);
      expect([n, outcome]).toEqual([n, "OK"]);
      const { type, text } = JSON.parse(String(document));
      expect(text?.length).toBe(type === "job.removed" ? undefined : 60_000);
      types.set(`e${n}`, type);
    }
    expect([...new Set(types.values())].sort()).toEqual(["job.busy", "job.lost", "job.removed"]);
    for (const [id, type] of types) {
      const [outcome] = await calls.run(
        "remove",
        id,
        "REASON",
        "to make room",
        ...op("r1", await calls.end()),
      );
      expect([id, outcome]).toEqual([id, type === "job.removed" ? "NOTFOUND" : "OK"]);
    }
    for (let n = 0; n < count - 5; n++) expect((await calls.run("create", `e${n}`, ...LARGE))[0]).toBe("OK");
  });
});
