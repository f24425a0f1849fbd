import { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import { agent } from "../../src/index.js";
import { GroupCommit } from "../../src/valkey/group-commit.js";
import { NoConfirmationError } from "../../src/valkey/no-confirmation.js";
import { Calls } from "../helpers/calls.js";
import { rejection, rejectionOf } from "../helpers/client.js";
import { adminOf, ownServer } from "../helpers/doctor.js";
import { replicated } from "../helpers/replica.js";
import { countsOwnWrites, hasWaitaof } from "../helpers/server-program.js";

/** Longer than any test. */
const LONG = 25_000;
const ONE = { local: 0, replicas: 1 } as const;
const DISK = { local: 1, replicas: 0 } as const;

/** Counts the WAIT and WAITAOF commands since the statistics were reset. */
async function waits(admin: Valkey): Promise<number> {
  const calls = [...(await admin.info("commandstats")).matchAll(/^cmdstat_wait(?:aof)?:calls=(\d+)/gm)];
  return calls.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Settles when a client is inside WAIT. */
async function untilWaiting(admin: Valkey): Promise<void> {
  await expect.poll(() => admin.client("LIST")).toMatch(/cmd=wait/);
}

describe("a wait for replicas", () => {
  it("returns the number of replicas that have the write", async () => {
    const { connect } = await replicated();
    const client = await connect();
    const commits = new GroupCommit(client);
    await client.set("k", "v");
    expect(await commits.wait(ONE, LONG)).toEqual({ local: 0, replicas: 1 });
    expect(await commits.wait({ local: 0, replicas: 2 }, 50)).toEqual({ local: 0, replicas: 1 });
  });

  it("returns 0 while the replica is stopped, and after it has ended", async () => {
    const { connect, replica } = await replicated();
    const client = await connect();
    const commits = new GroupCommit(client);
    replica.pause();
    await client.set("k", "v");
    expect(await commits.wait(ONE, 50)).toEqual({ local: 0, replicas: 0 });
    replica.resume();
    expect(await commits.wait(ONE, LONG)).toEqual({ local: 0, replicas: 1 });
    await replica.end();
    await client.set("k", "w");
    expect(await commits.wait(ONE, 50)).toEqual({ local: 0, replicas: 0 });
  });

  it("is not satisfied by a stopped replica if the change is only replayed, on a connection without writes", async () => {
    const { connect, replica } = await replicated();
    const first = new Calls(await connect(), "agent");
    await first.apply(JSON.parse(JSON.stringify(agent())));
    await first.ok("create", "a1", "OP", "o1", "SEEN", "0-0");
    await new GroupCommit(first.valkey).wait(ONE, LONG);
    replica.pause();
    await first.ok("transition", "a1", "running", "OP", "o2", "SEEN", "0-0");

    const reader = await connect();
    await reader.hgetall(first.key("id:a1"));
    if (countsOwnWrites) expect(await reader.wait(1, 1)).toBe(1); // the trap: there are no own writes to wait for
    const again = first.as(await connect());
    const commits = new GroupCommit(again.valkey);
    const replay = () => again.run("transition", "a1", "running", "OP", "o2", "SEEN", "0-0");
    expect((await replay())[0]).toBe("REPLAYED");
    expect(await commits.wait(ONE, 50)).toEqual({ local: 0, replicas: 0 });
    replica.resume();
    expect((await replay())[0]).toBe("REPLAYED");
    expect(await commits.wait(ONE, LONG)).toEqual({ local: 0, replicas: 1 });
  });

  it("sends nothing if no acknowledgement is required", async () => {
    const { server, admin } = await ownServer();
    const commits = new GroupCommit(await adminOf(server));
    expect(await commits.wait({ local: 0, replicas: 0 }, LONG)).toEqual({ local: 0, replicas: 0 });
    expect(await waits(admin)).toBe(0);
  });
});

describe("callers share waits", () => {
  it("a hundred at once need few", async () => {
    const { connect, admin } = await replicated();
    const client = await connect();
    const commits = new GroupCommit(client);
    const calls = Array.from({ length: 100 }, async (_, n) => {
      await client.set(`k${n}`, "v");
      return commits.wait(ONE, LONG);
    });
    for (const acknowledged of await Promise.all(calls)) expect(acknowledged.replicas).toBe(1);
    const count = await waits(admin);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(10);
  });

  it("whoever is answered while a wait is under way is covered by it", async () => {
    const { connect, admin, replica } = await replicated();
    const client = await connect();
    const commits = new GroupCommit(client);
    replica.pause();
    await client.set("k", "v");
    const first = commits.wait(ONE, LONG);
    await client.set("k", "w"); // sent in this very turn, so before the wait, and answered after that was sent
    const second = commits.wait(ONE, LONG);
    await untilWaiting(admin);
    replica.resume();
    expect(await Promise.all([first, second])).toEqual([ONE, ONE]);
    expect(await waits(admin)).toBe(1);
  });

  it("a write after a WAIT needs the next one, even if both are answered at once", async () => {
    const { connect, admin, replica } = await replicated();
    const client = await connect();
    const commits = new GroupCommit(client);
    replica.pause();
    await client.set("k", "v");
    const first = commits.wait(ONE, LONG);
    await untilWaiting(admin);
    const second = client.set("k", "w").then(() => commits.wait(ONE, LONG)); // stands still behind the wait
    replica.resume();
    expect(await Promise.all([first, second])).toEqual([ONE, ONE]);
    expect(await waits(admin)).toBe(2);
  });

  it("with other needs take turns: each gets the count when its own need is satisfied or its timeout has passed", async () => {
    const { connect } = await replicated();
    const client = await connect();
    const commits = new GroupCommit(client);
    await client.set("k", "v");
    await commits.wait(ONE, LONG);
    const ended: string[] = [];
    const wait = async (name: string, replicas: number, timeoutMs: number) => {
      const acknowledged = await commits.wait({ local: 0, replicas }, timeoutMs);
      ended.push(name);
      return acknowledged;
    };
    const all = [wait("three", 3, 1_500), wait("two", 2, 20), wait("one", 1, LONG), wait("five", 5, 300)];
    for (const { replicas } of await Promise.all(all)) expect(replicas).toBe(1);
    expect(ended).toHaveLength(4);
    expect(ended.slice(-2)).toEqual(["five", "three"]);
  });

  it.runIf(hasWaitaof)(
    "for disks and for replicas get their own counts, and neither waits for ever after the other",
    async () => {
      const { connect, admin } = await replicated({ primary: ["--appendfsync", "always"] });
      await admin.config("SET", "appendonly", "yes");
      const client = await connect();
      const commits = new GroupCommit(client);
      await client.set("k", "v");
      await Promise.all([commits.wait(ONE, LONG), commits.wait(DISK, LONG)]);
      const short = [
        commits.wait({ local: 1, replicas: 1 }, 50),
        commits.wait({ local: 0, replicas: 2 }, 50),
      ];
      expect(await Promise.all(short)).toEqual([DISK, ONE]);
      const never = commits.wait({ local: 0, replicas: 3 }, LONG).catch(() => {}); // interrupted at the end of the test
      expect(await Promise.race([never, commits.wait(DISK, LONG)])).toEqual(DISK);
    },
  );
});

describe("a connection", () => {
  it("is held up by no wait for long: what else is sent on it gets its turn", async () => {
    const { connect, admin, replica } = await replicated();
    const client = await connect();
    replica.pause();
    await client.set("k", "v");
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    new GroupCommit(client).wait(ONE, LONG).then(end, end);
    await untilWaiting(admin);
    expect(await client.set("k", "w")).toBe("OK");
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
  });

  it("is not taken for dead while it waits longer than the server may be silent", async () => {
    const { replica, port } = await replicated();
    const client = new Valkey({ port, host: "127.0.0.1", socketTimeout: 300, maxRetriesPerRequest: 0 });
    onTestFinished(() => client.disconnect());
    replica.pause();
    await client.set("k", "v");
    expect(await new GroupCommit(client).wait(ONE, 900)).toEqual({ local: 0, replicas: 0 });
  });
});

describe("a connection that is lost", () => {
  /** A client that writes and waits for a replica that is stopped, and what cuts it off. */
  async function waiting(given?: (port: number) => Valkey) {
    const { connect, admin, replica, port } = await replicated();
    const client = given?.(port) ?? (await connect());
    onTestFinished(() => client.disconnect());
    client.on("error", () => {});
    if (client.status === "wait") await client.connect();
    replica.pause();
    await client.set("k", "v");
    const commits = new GroupCommit(client);
    return {
      client,
      commits,
      admin,
      cut: async () => {
        const again = new Promise((resolve) => client.once("ready", resolve));
        await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        return { again };
      },
    };
  }

  it("while waiting rejects with what the client says", async () => {
    const { commits, admin, cut } = await waiting();
    const waits = [ONE, { local: 0, replicas: 2 } as const].map((need) =>
      rejection(commits.wait(need, LONG)),
    );
    await untilWaiting(admin);
    await cut();
    for (const wait of waits) expect((await wait).name).toBe("MaxRetriesPerRequestError");
  });

  it("before the wait is not mistaken for the new one, on which every replica counts", async () => {
    const { client, commits, cut } = await waiting();
    const { socket } = commits;
    expect(socket).toBeDefined();
    await (await cut()).again;
    if (countsOwnWrites) expect(await client.wait(1, 1)).toBe(1); // the trap
    expect((await rejection(commits.wait(ONE, LONG, socket))).message).toBe("Connection is closed.");
    await client.set("k", "w");
    expect((await commits.wait(ONE, 20)).replicas).toBe(0);
  });

  it("while waiting rejects too where the client sends the wait again by itself", async () => {
    const { commits, admin, cut } = await waiting((port) => new Valkey({ port, host: "127.0.0.1" }));
    const wait = rejection(commits.wait(ONE, LONG));
    await untilWaiting(admin);
    await (await cut()).again;
    expect((await wait).message).toBe("Connection is closed.");
  });

  it("in the moment of the WAIT is not reported as a write that was not sent", async () => {
    const given = {
      host: "127.0.0.1",
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      lazyConnect: true,
    };
    const { client, commits } = await waiting((port) => new Valkey({ ...given, port }));
    const { socket } = commits;
    client.stream.end();
    expect((await rejection(commits.wait(ONE, LONG, socket))).message).toBe("Connection is closed.");
  });

  it("for good rejects all that wait later", async () => {
    const { client, commits } = await waiting();
    const { socket } = commits;
    const ended = new Promise((resolve) => client.once("end", resolve));
    client.disconnect();
    await ended;
    expect((await rejection(commits.wait(ONE, LONG))).message).toBe("Connection is closed.");
    expect((await rejection(commits.wait(ONE, LONG, socket))).message).toBe("Connection is closed.");
  });
});

describe.runIf(hasWaitaof)("a wait for disks", () => {
  const always = ["--appendfsync", "always"];

  it("is met where changes are flushed before they are answered, and shared", async () => {
    const { server, admin } = await ownServer({ appendOnly: true, args: always });
    const client = await adminOf(server);
    const commits = new GroupCommit(client);
    const calls = Array.from({ length: 100 }, async (_, n) => {
      await client.set(`k${n}`, "v");
      return commits.wait(DISK, LONG);
    });
    for (const acknowledged of await Promise.all(calls)) {
      expect(acknowledged).toEqual({ local: 1, replicas: 0 });
    }
    expect(await waits(admin)).toBeLessThanOrEqual(10);
  });

  it("counts the disks of replicas apart", async () => {
    const { connect, admin } = await replicated({ primary: always, replica: always });
    await admin.config("SET", "appendonly", "yes");
    const client = await connect();
    const commits = new GroupCommit(client);
    await client.set("k", "v");
    expect(await commits.wait(ONE, LONG)).toEqual({ local: 0, replicas: 1 });
    expect(await commits.wait(DISK, LONG)).toEqual({ local: 1, replicas: 0 });
    expect(await commits.wait({ local: 1, replicas: 1 }, 50)).toEqual({ local: 1, replicas: 0 });
    const both = await replicated({ primary: always, replica: always, appendOnly: true });
    const writer = await both.connect();
    const group = new GroupCommit(writer);
    await writer.set("k", "v");
    expect(await group.wait({ local: 1, replicas: 1 }, LONG)).toEqual({ local: 1, replicas: 1 });
    both.replica.pause();
    await writer.set("k", "w");
    expect(await group.wait({ local: 1, replicas: 1 }, 50)).toEqual({ local: 1, replicas: 0 });
  });

  it("is rejected without an append-only file, with the line that enables it", async () => {
    const { server } = await ownServer({ args: always });
    const client = await adminOf(server);
    await client.set("k", "v");
    const error = await rejectionOf(NoConfirmationError, new GroupCommit(client).wait(DISK, LONG));
    expect(error.reason).toBe("appendonly");
    expect(error.message).toContain("CONFIG SET appendonly yes");
  });

  it.each(["everysec", "no"])(
    "is rejected with appendfsync %s, with the line that fixes it",
    async (mode) => {
      const { server } = await ownServer({ appendOnly: true, args: ["--appendfsync", mode] });
      const client = await adminOf(server);
      await client.set("k", "v");
      const error = await rejectionOf(NoConfirmationError, new GroupCommit(client).wait(DISK, LONG));
      expect(error.reason).toBe("appendfsync");
      expect(error.message).toContain("CONFIG SET appendfsync always");
    },
  );

  it("is rejected if the append-only file is disabled meanwhile", async () => {
    const { connect, admin, replica } = await replicated({ primary: always });
    await admin.config("SET", "appendonly", "yes");
    const client = await connect();
    replica.pause();
    await client.set("k", "v");
    const wait = rejectionOf(
      NoConfirmationError,
      new GroupCommit(client).wait({ local: 1, replicas: 1 }, LONG),
    );
    await untilWaiting(admin);
    await admin.config("SET", "appendonly", "no");
    expect((await wait).reason).toBe("appendonly");
  });
});

describe("a server that cannot confirm", () => {
  it.each([
    ["-wait", ONE] as const,
    ...(hasWaitaof ? (["-waitaof", "-config"] as const).map((rule) => [rule, DISK] as const) : []),
  ])("because the user has %s is named, with what to grant", async (rule, need) => {
    const { server, admin } = await ownServer({ appendOnly: true, args: ["--appendfsync", "always"] });
    await admin.call("ACL", "SETUSER", "u", "on", "nopass", "~*", "+@all", rule);
    const client = await adminOf(server, { username: "u", password: "any" });
    await client.set("k", "v");
    const error = await rejectionOf(NoConfirmationError, new GroupCommit(client).wait(need, LONG));
    expect(error.reason).toBe("permission");
    expect(error.message).toContain("+wait, and for disks +waitaof +config|get");
  });

  it("because it became a replica is reported, during the wait and afterwards", async () => {
    const { connect, admin, replica } = await replicated();
    const [client, idle] = [await connect(), await connect()];
    replica.pause();
    await client.set("k", "v");
    await idle.set("k", "v");
    const wait = rejectionOf(NoConfirmationError, new GroupCommit(client).wait(ONE, LONG));
    await untilWaiting(admin);
    await admin.replicaof("127.0.0.1", 1);
    expect((await wait).reason).toBe("replica");
    const later = await rejectionOf(NoConfirmationError, new GroupCommit(idle).wait(ONE, LONG));
    expect(later.reason).toBe("replica");
  });
});
