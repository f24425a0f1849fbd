import { spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { freshFolder } from "../helpers/folder.js";
import { pinged } from "../helpers/ping.js";

const OWNER = `
import { startValkey } from ${JSON.stringify(new URL("../../dist/testing/index.js", import.meta.url).href)};
const { host, port, dataDir } = await startValkey();
console.log(JSON.stringify({ host, port, dataDir }));
process.stdin.once("data", () => process.exit(0)).resume();
`;

/** Starts a server in a process of its own, ends that process, and returns when the server is gone. */
async function afterEnding(end: (owner: ReturnType<typeof spawn>) => void) {
  const TMPDIR = join(await freshFolder(), "tmp");
  await mkdir(TMPDIR);
  const owner = spawn(process.execPath, ["--input-type=module", "--eval", OWNER], {
    env: { ...process.env, TMPDIR },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: owner.stdout }), "line");
  const server = JSON.parse(String(line));
  const folderGone = emptied(TMPDIR);
  const connection = await pinged(server);
  connection.on("error", () => {}); // a reset is one of the ways to see it go
  const serverGone = once(connection, "close");
  end(owner);
  await Promise.all([serverGone, folderGone]);
  return { before: server.dataDir.startsWith(TMPDIR), after: await readdir(TMPDIR) };
}

/** Resolves when a folder has become empty. */
function emptied(folder: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder, async () => {
      if ((await readdir(folder)).length > 0) return;
      watcher.close();
      resolve();
    });
  });
}

describe("a server started by a process", () => {
  test.each([
    ["exits", (owner: ReturnType<typeof spawn>) => void owner.stdin?.write("end\n")],
    ["gets SIGINT", (owner: ReturnType<typeof spawn>) => void owner.kill("SIGINT")],
    ["gets SIGTERM", (owner: ReturnType<typeof spawn>) => void owner.kill("SIGTERM")],
    ["gets SIGKILL", (owner: ReturnType<typeof spawn>) => void owner.kill("SIGKILL")],
  ])("is gone with its folder when the process %s", async (_, end) => {
    expect(await afterEnding(end)).toEqual({ before: true, after: [] });
  });
});
