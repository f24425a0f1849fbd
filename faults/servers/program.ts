import { spawnSync } from "node:child_process";

/** The server program: LATCHKEY_VALKEY_BIN, otherwise the one on PATH. */
export const SERVER_PROGRAM = process.env.LATCHKEY_VALKEY_BIN || "valkey-server";

/** The program of the same package that repairs append-only files. */
export const REPAIR_PROGRAM = SERVER_PROGRAM.replace(/server$/, "check-aof");

/** Returns true if the program exists here. A server in a container cannot be killed or frozen. */
export function hasServerProgram(): boolean {
  return spawnSync(SERVER_PROGRAM, ["--version"], { stdio: "ignore" }).status === 0;
}
