import type { Valkey } from "iovalkey";
import type { Topology } from "../fault.js";
import type { NodeProxy } from "../proxy/proxy.js";

/** Settings of a server, as CONFIG SET and the command line take them. */
export type Settings = Readonly<Record<string, string>>;

/** One data node, as a process of its own. */
export interface ServerNode {
  readonly name: string;
  /** Where the server itself listens, on 127.0.0.1. */
  readonly port: number;
  /** The same as a URL, for what is not to go through a proxy. */
  readonly url: string;
  readonly dataDir: string;
  readonly isRunning: boolean;
  /** A connection that bypasses the proxies, made again by itself after a restart. */
  readonly admin: Valkey;
  kill9(): Promise<void>;
  /**
   * Kills it, and takes from its append-only files what was not flushed to disk yet, as a power failure does at worst.
   *
   * @returns how many bytes that were
   * @throws Unavailable where that can't be told here.
   */
  losePower(): Promise<number>;
  /** SIGSTOP: the process stays, and does nothing. */
  stop(): void;
  /** SIGCONT. */
  cont(): void;
  /**
   * Starts it again on the same port and data, after `kill9` (or ends it first), and waits until it answers with its
   * data loaded. Where the kill has torn the end of its append-only file, that is repairs first, as `latchkey doctor`
   * advises for versions that otherwise lose what they write behind it.
   *
   * @param settings stay for later restarts; without, those of before
   */
  restart(settings?: Settings): Promise<void>;
  /** CONFIG SET, now and at later restarts. */
  setSettings(settings: Settings): Promise<void>;
  /** Settles when the process that runs now has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** How often a restart had to mend the append-only file. */
  readonly repairs: number;
  /** All that the server printed, over all its starts. */
  readonly logFile: string;
  /**
   * Sets its wall clock apart from the machine's by so many ms, at once, while it runs; 0 sets it right again.
   * @throws Unavailable where clocks cannot be set here.
   */
  setClock(offsetMs: number): Promise<void>;
}

/** The servers of a run. */
export interface Servers {
  readonly topology: Topology;
  /** For clients of latchkey, through the proxies. */
  readonly url: string;
  readonly nodes: readonly ServerNode[];
  /** The node that is the primary now; waits while there is none. */
  primary(): Promise<ServerNode>;
  /** Ends all, and removes their folders. */
  close(): Promise<void>;
}

/** What a run wants of its servers: `startServers(options)` of start.ts takes it. */
export interface ServersOptions {
  readonly topology: Topology;
  /** Opens a proxy to a port of this machine; clients get the proxy's port wherever a node's address is told. */
  readonly openProxy: (target: number) => Promise<NodeProxy>;
  readonly settings: Settings;
  /** Where data folders go. */
  readonly folder: string;
}
