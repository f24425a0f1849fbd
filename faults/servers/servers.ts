import type { Valkey } from "iovalkey";
import type { Topology } from "../fault.js";
import type { NodeProxy } from "../proxy/proxy.js";

/** Settings of a server, in the syntax of CONFIG SET. */
export type Settings = Readonly<Record<string, string>>;

/** Controls one data node, which is a process. */
export interface ServerNode {
  readonly name: string;
  /** Port of the server itself, on 127.0.0.1. */
  readonly port: number;
  /** URL of this port, without a proxy. */
  readonly url: string;
  readonly dataDir: string;
  readonly isRunning: boolean;
  /** A connection that bypasses the proxies. It reconnects after a restart. */
  readonly admin: Valkey;
  kill9(): Promise<void>;
  /**
   * Kills it, and truncates its append-only files to what was flushed to disk, as a power failure does at worst.
   *
   * @returns number of lost bytes
   * @throws Unavailable if flushes cannot be observed here
   */
  losePower(): Promise<number>;
  /** Sends SIGSTOP: the process stays, and does nothing. */
  stop(): void;
  /** Sends SIGCONT. */
  cont(): void;
  /**
   * Starts it again on the same port and data, and waits until its data is loaded. It kills a running process first. If the
   * append-only file is truncated, it repairs the file first, as `latchkey doctor` recommends for versions that otherwise
   * lose what they write after it.
   *
   * @param settings also apply to later restarts. Without them, the previous settings apply.
   */
  restart(settings?: Settings): Promise<void>;
  /** Applies settings with CONFIG SET, now and at later restarts. */
  setSettings(settings: Settings): Promise<void>;
  /** Resolves when the current process has exited for any reason. */
  readonly ended: Promise<void>;
  /** Number of restarts that had to repair the append-only file. */
  readonly repairs: number;
  /** Everything that the server printed, over all its starts. */
  readonly logFile: string;
  /**
   * Sets its wall clock to an offset from this machine's clock in ms, at once, while it runs; 0 corrects it.
   * @throws Unavailable if clocks cannot be set here
   */
  setClock(offsetMs: number): Promise<void>;
}

/** Controls the servers of a run. */
export interface Servers {
  readonly topology: Topology;
  /** URL for clients of latchkey, through the proxies. */
  readonly url: string;
  /**
   * Returns the current primary. Waits until a server is the primary.
   *
   * @param key a key or a prefix with its hash tag. In a cluster, it decides which primary is returned.
   */
  primary(key: string): Promise<ServerNode>;
  /** Ends all servers, and removes their folders. */
  close(): Promise<void>;
}

/** Configures the servers of a run. */
export interface ServersOptions {
  readonly topology: Topology;
  /** Silence after which a node of a cluster counts as failing, in ms. */
  readonly nodeTimeoutMs: number;
  /** Opens a proxy to a local port. Nodes announce the proxy's port to clients. */
  readonly openProxy: (target: number) => Promise<NodeProxy>;
  readonly settings: Settings;
  /** Folder for data. */
  readonly folder: string;
}
