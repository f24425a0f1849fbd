import { appendFile, mkdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Valkey } from "iovalkey";
import { appendedFiles, repairTruncatedFile } from "./append-only-file.js";
import { PreloadPage } from "./preload-page.js";
import { ServerProcess } from "./process.js";
import { SERVER_PROGRAM } from "./program.js";
import type { ServerNode, Settings } from "./servers.js";

const HOST = "127.0.0.1";
const LOOK_MS = 10;
const READY_MS = 60_000;
const LINES = 8;

/** Configures a node. */
export interface NodeOptions {
  readonly name: string;
  readonly port: number;
  /** Its own folder is created in this one. */
  readonly folder: string;
  readonly settings?: Settings;
  /** An existing folder for its data, if not in its own folder. */
  readonly dataDir?: string;
  /** User of the admin connection, if not `default`. It has no password and all permissions. */
  readonly user?: string;
}

/** Runs a server as a process that can be killed, frozen and restarted on the same port and data. */
export class DataNode implements ServerNode {
  readonly name: string;
  readonly port: number;
  readonly dataDir: string;
  readonly admin: Valkey;
  readonly #folder: string;
  readonly #page: PreloadPage;
  readonly #user: string | undefined;
  #process: ServerProcess | undefined;
  readonly #sizesAtStart = new Map<bigint, number>();
  #repairs = 0;
  #isStopped = false;

  private constructor(options: NodeOptions, folder: string, dataDir: string, page: PreloadPage) {
    this.name = options.name;
    this.port = options.port;
    this.dataDir = dataDir;
    this.#folder = folder;
    this.#page = page;
    this.admin = connection(options.port, options.user);
    this.#user = options.user;
  }

  /** Starts a node and waits until it is ready. @throws Error with the last lines of its log, if it exits first */
  static async start(options: NodeOptions): Promise<DataNode> {
    const folder = join(options.folder, options.name);
    const dataDir = options.dataDir ?? join(folder, "data");
    for (const path of [folder, dataDir]) await mkdir(path, { recursive: true });
    const own = {
      port: String(options.port),
      bind: HOST,
      dir: dataDir,
      save: "",
      "maxmemory-policy": "noeviction",
      // An incomplete end is removed before the server writes again, because some versions lose data after it.
      "aof-load-truncated": "no",
    };
    const user = options.user === undefined ? {} : { [`user ${options.user}`]: "on nopass ~* &* +@all" };
    await writeFile(join(folder, "valkey.conf"), lines({ ...own, ...user, ...options.settings }));
    const page = await PreloadPage.make(join(folder, "page"), options.folder);
    const node = new DataNode(options, folder, dataDir, page);
    await node.start();
    return node;
  }

  get url(): string {
    const who = this.#user === undefined ? "" : `${this.#user}:any@`;
    return `valkey://${who}${HOST}:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** Resolves when the current process has exited. */
  get ended(): Promise<void> {
    return this.#process?.ended ?? Promise.resolve();
  }

  get logFile(): string {
    return join(this.#folder, "server.log");
  }

  get configFile(): string {
    return join(this.#folder, "valkey.conf");
  }

  get pid(): number {
    if (this.#process === undefined) throw new Error(`${this.name} does not run`);
    return this.#process.pid;
  }

  async kill9(): Promise<void> {
    await this.#process?.kill9();
  }

  async losePower(): Promise<number> {
    await this.kill9();
    const flushed = await this.#page.flushed();
    let lost = 0;
    for (const file of await appendedFiles(this.dataDir)) {
      const { ino, size } = await stat(file, { bigint: true });
      // Bytes that existed when this process started have long been on disk.
      const kept = flushed.get(ino) ?? this.#sizesAtStart.get(ino) ?? 0;
      lost += Number(size) - kept;
      await truncate(file, kept);
    }
    return lost;
  }

  /** Shuts it down as an operator does. It saves data as configured. */
  async shutDown(): Promise<void> {
    this.#process?.signal("SIGTERM");
    await this.#process?.ended;
  }

  /** True from `stop` to `cont`: it does not reply. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  stop(): void {
    this.#isStopped = true;
    this.#process?.signal("SIGSTOP");
  }

  cont(): void {
    this.#isStopped = false;
    this.#process?.signal("SIGCONT");
  }

  async restart(settings: Settings = {}): Promise<void> {
    await this.kill9();
    // Appended, because the last setting counts, and lines that the server wrote itself (replicaof) must stay.
    await appendFile(this.configFile, lines(settings));
    await this.launch();
    try {
      await this.loaded();
    } catch (error) {
      if (this.isRunning || !(await this.#endedOnTruncatedFile())) throw error;
      await repairTruncatedFile(this.dataDir);
      this.#repairs += 1;
      await this.start();
    }
  }

  /** Replaces settings that the server accepts only once, for the next start. */
  async replaceSettings(settings: Settings): Promise<void> {
    const before = (await readFile(this.configFile, "utf8")).split("\n");
    const names = Object.keys(settings);
    const kept = before.filter((line) => line !== "" && !names.some((name) => line.startsWith(`${name} `)));
    await writeFile(this.configFile, `${kept.join("\n")}\n${lines(settings)}`);
  }

  async setSettings(settings: Settings): Promise<void> {
    await appendFile(this.configFile, lines(settings));
    for (const [name, value] of Object.entries(settings)) await this.admin.config("SET", name, value);
  }

  /** Number of restarts that had to repair the append-only file. */
  get repairs(): number {
    return this.#repairs;
  }

  async #endedOnTruncatedFile(): Promise<boolean> {
    return /Unexpected end of file reading the append only file/.test(await this.#lastLines());
  }

  async #lastLines(): Promise<string> {
    return (await readFile(this.logFile, "utf8")).trimEnd().split("\n").slice(-LINES).join("\n");
  }

  async setClock(offsetMs: number): Promise<void> {
    await this.#page.setClock(offsetMs);
  }

  /** Starts the process on the existing data, and waits until that is loaded. */
  async start(): Promise<void> {
    await this.launch();
    await this.loaded();
  }

  /** Starts the process without waiting. */
  async launch(): Promise<void> {
    this.#isStopped = false;
    await this.#page.forgetFlushed();
    this.#sizesAtStart.clear();
    for (const file of await appendedFiles(this.dataDir).catch(() => [])) {
      const { ino, size } = await stat(file, { bigint: true });
      this.#sizesAtStart.set(ino, Number(size));
    }
    this.#process = await ServerProcess.start({
      command: SERVER_PROGRAM,
      args: [this.configFile],
      env: this.#page.env,
      logFile: this.logFile,
    });
  }

  /** Waits until its data is loaded. @throws Error if it exits first, or takes longer than a minute */
  async loaded(): Promise<void> {
    const until = performance.now() + READY_MS;
    for (;;) {
      const answer = await this.admin.ping().catch((error: unknown) => error);
      if (answer === "PONG") return;
      if (!this.isRunning)
        throw new Error(`${this.name} ended before it was ready:\n${await this.#lastLines()}`);
      if (performance.now() > until) throw new Error(`${this.name} is not ready: ${answer}`);
      await pause(LOOK_MS);
    }
  }

  /** Kills it and closes its connection. */
  async close(): Promise<void> {
    this.admin.disconnect();
    await this.kill9();
  }
}

/** Opens a connection that reconnects. A call fails if the connection is lost meanwhile. */
export function connection(port: number, user?: string): Valkey {
  const valkey = new Valkey({
    ...(user !== undefined && { username: user, password: "any" }),
    host: HOST,
    port,
    retryStrategy: () => LOOK_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A server that is loading replies with an error. The client must not wait for it.
    enableReadyCheck: false,
    connectionName: "faults-admin",
  });
  valkey.on("error", () => {}); // calls report it
  return valkey;
}

function lines(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value === "" ? '""' : value}\n`)
    .join("");
}
