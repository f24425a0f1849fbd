import { expect, it, onTestFinished } from "vitest";
import { DataNode } from "../../faults/servers/node.js";
import { freePort } from "../../faults/servers/ports.js";
import { connect } from "../../src/index.js";
import { ownCluster } from "../helpers/cluster.js";
import { LONG } from "../helpers/cluster-clients.js";
import { dial } from "../helpers/dial.js";
import { freshFolder } from "../helpers/folder.js";
import { reacting } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";
import { freshNamespace } from "../helpers/valkey.js";

const IDS = Array.from({ length: 24 }, (_, at) => `x${at}`);

/** Starts servers that keep their data over a restart, but not the users that were added while they ran. */
const TOPOLOGIES = {
  "a server": async (defaultUser: string) => {
    const server = await DataNode.start({
      name: "own",
      port: await freePort(),
      folder: await freshFolder(),
      settings: { appendonly: "yes", "user default": defaultUser },
      user: "admin",
    });
    onTestFinished(() => server.close());
    return { url: `valkey://127.0.0.1:${server.port}`, servers: [server] };
  },
  "a node of a cluster": async () => {
    const settings = { appendonly: "yes", "cluster-require-full-coverage": "no" };
    const cluster = await ownCluster({ nodeTimeoutMs: 2_000, settings });
    return { url: cluster.url, servers: cluster.nodes.map(({ server }) => server) };
  },
} as const;

it.each([
  ["a server", "on nopass ~* &* +@all"],
  ["a server", "off resetpass ~* &* +@all"],
  ["a node of a cluster", "on nopass ~* &* +@all"],
] as const)(
  "reactions and readers go on after %s restarted without their user, as soon as it is added again (default user %s)",
  async (topology, defaultUser) => {
    const { url, servers } = await TOPOLOGIES[topology](defaultUser);
    const addUser = ({ admin }: DataNode) =>
      admin.acl("SETUSER", "app", "on", ">secret", "~*", "&*", "+@all");
    await Promise.all(servers.map(addUser));
    const { logger, lines } = recordingLogger();
    const namespace = freshNamespace();
    const latchkey = await connect({ url, namespace, logger, username: "app", password: "secret" });
    onTestFinished(() => latchkey.close());
    await latchkey.init(64);
    const dials = await latchkey.machine(dial);
    const [handled, followed] = [new Set<string>(), new Set<string>()];
    const reaction = await reacting(dials, ({ id, state }) => void handled.add(`${id} ${state}`));
    const follower = await dials.follow(({ id, state }) => void followed.add(`${id} ${state}`));
    onTestFinished(() => follower.close());
    const arrive = async (state: string): Promise<void> => {
      const changes = IDS.map((id) => `${id} ${state}`);
      for (const seen of [handled, followed])
        await expect.poll(() => [...seen], LONG).toEqual(expect.arrayContaining(changes));
    };
    for (const id of IDS) await dials.create(id);
    await arrive("a");
    const [server] = servers;
    if (server === undefined) throw new Error("There is no server");
    await server.restart();
    await expect
      .poll(() => lines.filter((line) => line.includes("no reply to take")).join(), LONG)
      .toContain("authentication failed");
    const replies = await Promise.allSettled(IDS.map((id) => dials.get(id, { timeout: "1s" })));
    const failures = replies.flatMap((reply) => (reply.status === "rejected" ? String(reply.reason) : []));
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) expect(failure).toContain("authentication failed");
    // Each connection warns once, and not with every attempt.
    const warnings = lines.filter(
      (line) => line.includes('"level":40') && line.includes('error":"WRONGPASS'),
    );
    expect(warnings.length).toBeLessThan(10);
    await addUser(server);
    for (const id of IDS) await dials.transition(id, "b", LONG);
    await arrive("b");
    expect(await Promise.race([reaction.closed, follower.closed, "open"])).toBe("open");
  },
);
