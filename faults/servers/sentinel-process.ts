import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { connection } from "./node.js";
import { freePort } from "./ports.js";
import { ServerProcess } from "./process.js";
import { SERVER_PROGRAM } from "./program.js";

/** Name of the primary in the Sentinels. */
export const PRIMARY_NAME = "latchkey";

const HOST = "127.0.0.1";
const LOOK_MS = 10;
/** Time without a reply after which the primary counts as down. */
const DOWN_AFTER_MS = 3000;
/** A Sentinel repeats a failed election after twice this time. */
const FAILOVER_MS = 1500;
/**
 * Shortens the intervals of a Sentinel, so that failovers take one second instead of ten. TILT mode is off, because a
 * busy machine would trigger it for half a minute each time.
 */
const INTERVALS = {
  "ping-period": 200,
  "info-period": 400,
  "publish-period": 400,
  "ask-period": 200,
  "tilt-trigger": 60_000,
};

/** Runs one Sentinel: the server program in another mode. */
export class SentinelProcess {
  readonly port: number;
  readonly admin: Valkey;
  readonly #process: ServerProcess;

  private constructor(port: number, process: ServerProcess) {
    this.port = port;
    this.#process = process;
    this.admin = connection(port);
  }

  /** Starts a Sentinel that watches the primary at a local port, and waits until it replies. */
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
    await sentinel.admin.call("SENTINEL", "DEBUG", ...Object.entries(INTERVALS).flat().map(String));
    return sentinel;
  }

  /** Returns the port of the primary, as this Sentinel knows it. */
  async primaryPort(): Promise<number> {
    const address = await this.admin.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME);
    return Array.isArray(address) ? Number(address[1]) : 0;
  }

  /** Checks that this Sentinel sees a healthy primary, two replicas that follow it, and two other Sentinels. */
  async isHealthy(): Promise<boolean> {
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

  /** Starts a failover, as an operator can. */
  async failOver(): Promise<void> {
    await this.admin.call("SENTINEL", "FAILOVER", PRIMARY_NAME);
  }

  async close(): Promise<void> {
    this.admin.disconnect();
    await this.#process.kill9();
  }
}

/** Converts a reply of alternating names and values. */
function fields(reply: unknown): Map<string, string> {
  const words = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? ""]] : [])));
}
