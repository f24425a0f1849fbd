import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { REPAIR_PROGRAM } from "./program.js";

const MANIFEST = "appendonlydir/appendonly.aof.manifest";

/** Returns the incremental files of the server's append-only file, oldest first. */
export async function appendedFiles(dataDir: string): Promise<string[]> {
  const manifest = await readFile(join(dataDir, MANIFEST), "utf8");
  const names = [...manifest.matchAll(/^file (\S+) seq \d+ type i/gm)].flatMap(([, name]) => name ?? []);
  return names.map((name) => join(dataDir, "appendonlydir", name));
}

/** Returns the file to which the server currently appends. */
export async function tailFile(dataDir: string): Promise<string> {
  const file = (await appendedFiles(dataDir)).at(-1);
  if (file === undefined) throw new Error(`No file to append to in the manifest of ${dataDir}`);
  return file;
}

/** Removes the incomplete end of a server's append-only file, as an operator does. The server must not run. */
export async function repairTruncatedFile(dataDir: string): Promise<void> {
  const repair = promisify(execFile)(REPAIR_PROGRAM, ["--fix", join(dataDir, MANIFEST)]);
  repair.child.stdin?.end("y\n");
  await repair;
}
