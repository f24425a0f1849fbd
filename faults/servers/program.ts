import { spawnSync } from "node:child_process";

/** The server program: named by LATCHKEY_VALKEY_BIN, else the one on PATH. */
export const SERVER_PROGRAM = process.env.LATCHKEY_VALKEY_BIN || "valkey-server";

/** The program that comes with it and mends append-only files. */
export const REPAIR_PROGRAM = SERVER_PROGRAM.replace(/server$/, "check-aof");

/** Whether there is such a program here; a server in a container is none that could be killed or frozen. */
export function hasServerProgram(): boolean {
  return spawnSync(SERVER_PROGRAM, ["--version"], { stdio: "ignore" }).status === 0;
}
