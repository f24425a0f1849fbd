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

/** Cuts all clients off while the server takes few connections, and lets that last. */
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

/** The server takes fewer connections than there are clients. */
const tooManyClients: Fault = {
  name: "F24 maxclients reached",
  topologies: ["standalone"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { admin } = await arena.servers.primary();
    const [, usual = ""] = (await admin.config("GET", "maxclients")) as string[];
    const before = await rejectedConnections(admin);
    const maxclients = 2 + arena.random.below(3);
    try {
      await admin.config("SET", "maxclients", String(maxclients));
      const told = await crowd(arena, admin);
      const rejections = (await rejectedConnections(admin)) - before;
      if (rejections === 0) throw new VoidInjection("no connection was refused");
      return { maxclients, rejections, ...told };
    } finally {
      await admin.config("SET", "maxclients", usual);
    }
  },
};

/** The server's process may open no more files, so no connections either. */
const tooManyFiles: Fault = {
  name: "F24 server out of file descriptors",
  topologies: ["standalone"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { admin, logFile } = await arena.servers.primary();
    const [, pid = ""] = /process_id:(\d+)/.exec(await admin.info("server")) ?? [];
    const usual = await openFilesLimit(pid);
    const before = await connectionsWithoutFile(logFile);
    try {
      // Standard streams, the log, the append-only file, epoll and the port are less than that.
      await limitOpenFiles(pid, "12");
      const told = await crowd(arena, admin);
      const rejections = (await connectionsWithoutFile(logFile)) - before;
      if (rejections === 0) throw new VoidInjection("no connection was refused");
      return { rejections, ...told };
    } finally {
      await limitOpenFiles(pid, usual);
    }
  },
};

/** How often the server could not take a connection, as its log tells. */
async function connectionsWithoutFile(logFile: string): Promise<number> {
  return (await readFile(logFile, "utf8")).split("Too many open files").length - 1;
}

async function openFilesLimit(pid: string): Promise<string> {
  const limits = await readFile(`/proc/${pid}/limits`, "utf8").catch(() => "");
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  if (soft === undefined) throw new Unavailable("the limits of a process can't be read: run on Linux");
  return soft;
}

async function limitOpenFiles(pid: string, soft: string): Promise<void> {
  try {
    await promisify(execFile)("prlimit", ["--pid", pid, `--nofile=${soft}:`]);
  } catch (error) {
    const isThere = !(error instanceof Error && "code" in error && error.code === "ENOENT");
    const todo = isThere ? `prlimit may not: ${error}` : "install prlimit (on Debian the package util-linux)";
    throw new Unavailable(`the limits of a process can't be set: ${todo}`);
  }
}

/** Clients that the server has no room for. */
export const clientLimits: readonly Fault[] = [tooManyClients, tooManyFiles];
