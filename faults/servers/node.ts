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

/** What a node is made of. */
export interface NodeOptions {
  readonly name: string;
  readonly port: number;
  /** A folder of its own goes into it. */
  readonly folder: string;
  readonly settings?: Settings;
  /** Where its data lies, where not in its own folder; must be there. */
  readonly dataDir?: string;
  /** Who the admin connection calls itself, where not `default`; a user without a password, who may do all. */
  readonly user?: string;
}

/** A server as a process of its own, which can be killed, frozen and started again on the same port and data. */
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

  /** Starts one and waits until it answers. @throws Error with its last lines, when it ends first. */
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
      // A torn end is repairs before the server writes behind it: some versions lose data there, see repairTruncatedFile.
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

  /** Settles when the process that runs now has ended. */
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
      // What was there when this process began has been on disk for long.
      const kept = flushed.get(ino) ?? this.#sizesAtStart.get(ino) ?? 0;
      lost += Number(size) - kept;
      await truncate(file, kept);
    }
    return lost;
  }

  /** Ends it as an operator does, with all data saved as its settings say. */
  async shutDown(): Promise<void> {
    this.#process?.signal("SIGTERM");
    await this.#process?.ended;
  }

  /** Whether it stands still, by `stop`: it would not answer. */
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
    // Behind what is there: the last one counts, and what the server wrote itself (replicaof) stays.
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

  /** Puts settings in the place of others of the same name, where the server takes each only once; for the next start. */
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

  /** How often a restart had to mend the append-only file first. */
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

  /** Starts the process on the data that is there, and waits until it has loaded it. */
  async start(): Promise<void> {
    await this.launch();
    await this.loaded();
  }

  /** Starts the process, and waits for nothing. */
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

  /** Waits until it answers with its data loaded. @throws Error when it ends first, or takes longer than a minute. */
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

  /** Ends it for good. */
  async close(): Promise<void> {
    this.admin.disconnect();
    await this.kill9();
  }
}

/** A plain connection to a server here that comes back by itself; a call fails when it is lost meanwhile. */
export function connection(port: number, user?: string): Valkey {
  const valkey = new Valkey({
    ...(user !== undefined && { username: user, password: "any" }),
    host: HOST,
    port,
    retryStrategy: () => LOOK_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A server that is loading answers with that, not with silence.
    enableReadyCheck: false,
    connectionName: "faults-admin",
  });
  valkey.on("error", () => {}); // told by the calls
  return valkey;
}

function lines(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value === "" ? '""' : value}\n`)
    .join("");
}
