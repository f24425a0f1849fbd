import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { REPAIR_PROGRAM } from "./program.js";

const MANIFEST = "appendonlydir/appendonly.aof.manifest";

/** The files that a server has appended changes to since its base was written, oldest first. */
export async function appendedFiles(dataDir: string): Promise<string[]> {
  const manifest = await readFile(join(dataDir, MANIFEST), "utf8");
  const names = [...manifest.matchAll(/^file (\S+) seq \d+ type i/gm)].flatMap(([, name]) => name ?? []);
  return names.map((name) => join(dataDir, "appendonlydir", name));
}

/** The append-only file that a server writes now. */
export async function tailFile(dataDir: string): Promise<string> {
  const file = (await appendedFiles(dataDir)).at(-1);
  if (file === undefined) throw new Error(`No file to append to in the manifest of ${dataDir}`);
  return file;
}

/** Takes the torn end of a server's append-only file away, as an operator does. The server must not run. */
export async function repairTruncatedFile(dataDir: string): Promise<void> {
  const repair = promisify(execFile)(REPAIR_PROGRAM, ["--fix", join(dataDir, MANIFEST)]);
  repair.child.stdin?.end("y\n");
  await repair;
}
