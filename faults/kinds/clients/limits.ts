import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Valkey } from "iovalkey";
import { type Arena, type Details, type Fault, Unavailable, VoidInjection } from "../../fault.js";

const LEAST_MET = 20;

async function rejectedConnections(admin: Valkey): Promise<number> {
  const [, count = "0"] = /rejected_connections:(\d+)/.exec(await admin.info("stats")) ?? [];
  return Number(count);
}

/** Disconnects all clients while the server accepts few connections, and keeps it so for a while. */
async function crowd(
  { withOverlap, waitBetween }: Arena,
  admin: Valkey,
): Promise<{ overlap: number; durationMs: number }> {
  const { overlap, result } = await withOverlap(LEAST_MET, async () => {
    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    return waitBetween(150, 700);
  });
  return { overlap, durationMs: result };
}

/** Permits fewer connections than there are clients. */
const tooManyClients: Fault = {
  name: "F24 maxclients reached",
  topologies: ["standalone"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { admin } = await arena.primary();
    const [, usual = ""] = (await admin.config("GET", "maxclients")) as string[];
    const before = await rejectedConnections(admin);
    const maxclients = 2 + arena.random.below(3);
    try {
      await admin.config("SET", "maxclients", String(maxclients));
      const result = await crowd(arena, admin);
      const rejections = (await rejectedConnections(admin)) - before;
      if (rejections === 0) throw new VoidInjection("no connection was refused");
      return { maxclients, rejections, ...result };
    } finally {
      await admin.config("SET", "maxclients", usual);
    }
  },
};

/** Permits the server no more open files, and therefore no more connections. */
const tooManyFiles: Fault = {
  name: "F24 server out of file descriptors",
  topologies: ["standalone"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { admin, logFile } = await arena.primary();
    const [, pid = ""] = /process_id:(\d+)/.exec(await admin.info("server")) ?? [];
    const usual = await openFilesLimit(pid);
    const before = await connectionsWithoutFile(logFile);
    try {
      // Standard streams, the log, the append-only file, epoll and the port need fewer than that.
      await limitOpenFiles(pid, "12");
      const result = await crowd(arena, admin);
      const rejections = (await connectionsWithoutFile(logFile)) - before;
      if (rejections === 0) throw new VoidInjection("no connection was refused");
      return { rejections, ...result };
    } finally {
      await limitOpenFiles(pid, usual);
    }
  },
};

/** Returns how often the server could not accept a connection, according to its log. */
async function connectionsWithoutFile(logFile: string): Promise<number> {
  return (await readFile(logFile, "utf8")).split("Too many open files").length - 1;
}

async function openFilesLimit(pid: string): Promise<string> {
  const limits = await readFile(`/proc/${pid}/limits`, "utf8").catch(() => "");
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  if (soft === undefined) throw new Unavailable("cannot read the limits of a process: run on Linux");
  return soft;
}

async function limitOpenFiles(pid: string, soft: string): Promise<void> {
  try {
    await promisify(execFile)("prlimit", ["--pid", pid, `--nofile=${soft}:`]);
  } catch (error) {
    const isThere = !(error instanceof Error && "code" in error && error.code === "ENOENT");
    const todo = isThere ? `prlimit failed: ${error}` : "install prlimit (on Debian the package util-linux)";
    throw new Unavailable(`cannot set the limits of a process: ${todo}`);
  }
}

/** Lists the faults in which the server has no room for clients. */
export const clientLimits: readonly Fault[] = [tooManyClients, tooManyFiles];
