import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** What `latchkey fsck` said. */
export interface FsckVerdict {
  readonly isClean: boolean;
  readonly text: string;
}

/** Runs `latchkey fsck --deep` on the data that a run leaves. */
export async function fsck(url: string, namespace: string, machine: string): Promise<FsckVerdict> {
  const root = dirname(createRequire(import.meta.url).resolve("latchkey/package.json"));
  const words = ["fsck", "--deep", "--url", url, "--namespace", namespace, "--machine", machine];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, "bin/latchkey.js"), ...words],
      { maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        const text = `${stdout}${stderr}`.trim();
        resolve({ isClean: error === null, text });
      },
    );
  });
}
