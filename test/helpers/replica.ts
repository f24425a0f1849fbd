import type { Valkey } from "iovalkey";
import { expect, onTestFinished } from "vitest";
import { startValkey } from "../../src/testing/index.js";
import { adminOf, ownServer } from "./doctor.js";

/** A primary of this test alone, and a replica of it that can be stopped. */
export interface Replicated {
  /** A further connection to the primary, closed with the test. */
  connect(): Promise<Valkey>;
  /** A connection to the primary for what the test itself asks. */
  readonly admin: Valkey;
  readonly replica: Replica;
  readonly primary: { readonly host: string; readonly port: number; readonly url: string };
  readonly port: number;
  /** Ends the primary. */
  stopPrimary(): Promise<void>;
}

export interface Replica {
  readonly host: string;
  readonly port: number;
  /** A connection to it for what the test itself asks. */
  readonly admin: Valkey;
  /** Stops the process, which stays, and with it its acknowledgements. */
  pause(): void;
  resume(): void;
  /** Ends it; the primary has noticed when this settles. */
  end(): Promise<void>;
}

/** Settings of {@link replicated}. */
export interface ReplicatedOptions {
  readonly appendOnly?: boolean;
  /** Further server arguments. */
  readonly primary?: readonly string[];
  readonly replica?: readonly string[];
}

/** Starts both, and waits until the replica follows. */
export async function replicated(options: ReplicatedOptions = {}): Promise<Replicated> {
  const { appendOnly = false, primary = [], replica: more = [] } = options;
  const { server, admin } = await ownServer({
    appendOnly,
    args: ["--repl-diskless-sync-delay", "0", ...primary],
  });
  const replica = await startValkey({
    appendOnly,
    args: ["--replicaof", server.host, String(server.port), ...more],
  });
  onTestFinished(() => replica.stop());
  if (!("pid" in replica)) throw new Error("A server in a container can't be paused");
  const replication = () => admin.info("replication");
  await expect.poll(replication).toContain("state=online");
  return {
    connect: () => adminOf(server),
    admin,
    primary: server,
    port: server.port,
    stopPrimary: () => server.stop(),
    replica: {
      host: replica.host,
      port: replica.port,
      admin: await adminOf(replica),
      pause: () => void process.kill(replica.pid, "SIGSTOP"),
      resume: () => void process.kill(replica.pid, "SIGCONT"),
      end: async () => {
        await replica.stop();
        await expect.poll(replication).toContain("connected_slaves:0");
      },
    },
  };
}
