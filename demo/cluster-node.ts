import { once } from "node:events";
import { createServer } from "node:net";
import { Valkey } from "iovalkey";
import { startValkey, type TestServer } from "latchkey/testing";
import { DemoFailure } from "./failure.js";

const HOST = "127.0.0.1";
/** Silence after which a node counts as failing: short, because the demo waits for the failover. */
const NODE_TIMEOUT_MS = 1500;
const SETTINGS = {
  "cluster-enabled": "yes",
  "cluster-announce-ip": HOST,
  "cluster-node-timeout": String(NODE_TIMEOUT_MS),
  "cluster-replica-validity-factor": "0",
  "repl-diskless-sync-delay": "0",
};

/** One server of the demo's cluster. */
export class ClusterNode {
  readonly name: string;
  /** `host:port`. */
  readonly address: string;
  readonly admin: Valkey;
  readonly #server: TestServer;
  readonly #busPort: number;
  readonly #port: number;
  #isStopping = false;

  private constructor(name: string, server: TestServer, busPort: number) {
    this.name = name;
    this.#server = server;
    this.#busPort = busPort;
    this.#port = server.port;
    this.address = `${HOST}:${server.port}`;
    this.admin = new Valkey(server.port, HOST, { connectionName: "latchkey-demo-admin" });
    this.admin.on("error", () => {}); // the command that fails reports it
  }

  /**
   * Starts a server that knows no other one.
   *
   * @throws DemoFailure if there is no server program; NoValkeyError if there is no container either
   */
  static async start(name: string, onNotice: (line: string) => void): Promise<ClusterNode> {
    const busPort = await freePort();
    const settings = { ...SETTINGS, "cluster-port": String(busPort) };
    const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
    const server = await startValkey({ args, onNotice });
    if (server.kind === "local") return new ClusterNode(name, server, busPort);
    await server.stop();
    throw new DemoFailure("a cluster needs a server program on this machine; install valkey-server");
  }

  /** Calls `report` if the server ends before `stop`. */
  onEnd(report: () => void): void {
    if ("ended" in this.#server) void this.#server.ended.then(() => this.#isStopping || report());
  }

  /** Introduces another node. Both then learn of all nodes that either knows. */
  async meet(other: ClusterNode): Promise<void> {
    await this.admin.call("CLUSTER", "MEET", HOST, other.#port, other.#busPort);
  }

  /** Reads a field of CLUSTER INFO or INFO. */
  async fact(name: string): Promise<string | undefined> {
    const text = `${await this.admin.info()}\n${await this.admin.cluster("INFO")}`;
    return new RegExp(`^${name}:(\\S+)`, "m").exec(text)?.[1];
  }

  /** Kills the server, as a crash would, and waits for its end. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.admin.disconnect();
    await this.#server.stop();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new DemoFailure("the system gave no TCP port");
  return address.port;
}
