import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { connection } from "./node.js";
import { freePort } from "./ports.js";
import { ServerProcess } from "./process.js";
import { SERVER_PROGRAM } from "./program.js";

/** The name that the Sentinels watch the primary under. */
export const PRIMARY_NAME = "latchkey";

const HOST = "127.0.0.1";
const LOOK_MS = 10;
/** How long the primary must be silent to count as down. */
const DOWN_AFTER_MS = 1500;
/** After a vote without a winner they try again after twice this long. */
const FAILOVER_MS = 1500;
/**
 * Sentinels look and talk more often than they do by default, so that failovers take a second and not ten. They never
 * distrust their own clock: on a machine this busy they would, for half a minute each time.
 */
const HASTE = {
  "ping-period": 200,
  "info-period": 400,
  "publish-period": 400,
  "ask-period": 200,
  "tilt-trigger": 60_000,
};

/** One Sentinel: the same program as the server, in another mode. */
export class SentinelProcess {
  readonly port: number;
  readonly admin: Valkey;
  readonly #process: ServerProcess;

  private constructor(port: number, process: ServerProcess) {
    this.port = port;
    this.#process = process;
    this.admin = connection(port);
  }

  /** Starts one that watches the primary at a port of this machine, and waits until it answers. */
  static async start(name: string, folder: string, primaryPort: number): Promise<SentinelProcess> {
    const own = join(folder, name);
    await mkdir(own, { recursive: true });
    const port = await freePort();
    const config = join(own, "sentinel.conf");
    const settings = [
      `port ${port}`,
      `bind ${HOST}`,
      `dir ${own}`,
      `sentinel monitor ${PRIMARY_NAME} ${HOST} ${primaryPort} 2`,
      `sentinel down-after-milliseconds ${PRIMARY_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${PRIMARY_NAME} ${FAILOVER_MS}`,
      `sentinel parallel-syncs ${PRIMARY_NAME} 2`,
    ];
    await writeFile(config, `${settings.join("\n")}\n`);
    const process = await ServerProcess.start({
      command: SERVER_PROGRAM,
      args: [config, "--sentinel"],
      logFile: join(own, "sentinel.log"),
    });
    const sentinel = new SentinelProcess(port, process);
    while ((await sentinel.admin.ping().catch(() => "")) !== "PONG") {
      if (!process.isRunning) throw new Error(`${name} ended before it was ready: see ${own}`);
      await pause(LOOK_MS);
    }
    await sentinel.admin.call("SENTINEL", "DEBUG", ...Object.entries(HASTE).flat().map(String));
    return sentinel;
  }

  /** The port at which it believes the primary to be. */
  async primaryPort(): Promise<number> {
    const address = await this.admin.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME);
    return Array.isArray(address) ? Number(address[1]) : 0;
  }

  /** Whether all is well as it sees it: the primary up, two replicas that follow it, two other Sentinels. */
  async seesAllWell(): Promise<boolean> {
    const primary = fields(await this.admin.call("SENTINEL", "MASTER", PRIMARY_NAME));
    if (primary.get("flags") !== "master" || primary.get("num-other-sentinels") !== "2") return false;
    const replicas = await this.admin.call("SENTINEL", "REPLICAS", PRIMARY_NAME);
    const others = await this.admin.call("SENTINEL", "SENTINELS", PRIMARY_NAME);
    if (!Array.isArray(replicas) || !Array.isArray(others)) return false;
    const following = replicas.map(fields).filter((replica) => {
      const isLinked = replica.get("master-link-status") === "ok";
      return (
        isLinked && replica.get("flags") === "slave" && replica.get("master-port") === primary.get("port")
      );
    });
    return following.length === 2 && others.map(fields).every((other) => other.get("flags") === "sentinel");
  }

  /** Has it promote a replica, as an operator may. */
  async failOver(): Promise<void> {
    await this.admin.call("SENTINEL", "FAILOVER", PRIMARY_NAME);
  }

  async close(): Promise<void> {
    this.admin.disconnect();
    await this.#process.kill9();
  }
}

/** A reply of alternating names and values. */
function fields(reply: unknown): Map<string, string> {
  const words = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? ""]] : [])));
}
