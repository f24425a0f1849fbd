import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const MANIFEST = "appendonlydir/appendonly.aof.manifest";

/** The append-only file that a server writes now: the last one in its manifest. */
export async function tailFile(dataDir: string): Promise<string> {
  const names = [
    ...(await readFile(join(dataDir, MANIFEST), "utf8")).matchAll(/^file (\S+) seq \d+ type i/gm),
  ];
  const name = names.at(-1)?.[1];
  if (name === undefined) throw new Error(`No file to append to in the manifest of ${dataDir}`);
  return join(dataDir, "appendonlydir", name);
}

/** Takes the torn end of a server's append-only file away, as an operator does. The server must not run. */
export async function mendTornFile(dataDir: string): Promise<void> {
  const mending = promisify(execFile)("valkey-check-aof", ["--fix", join(dataDir, MANIFEST)]);
  mending.child.stdin?.end("y\n");
  await mending;
}
