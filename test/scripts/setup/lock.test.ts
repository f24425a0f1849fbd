import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withLock } from "../../../scripts/setup/lock.mjs";
import { freshFolder } from "../../helpers/folder.js";
import { inNode } from "../../helpers/node.js";

const LOCK_MODULE = JSON.stringify(new URL("../../../scripts/setup/lock.mjs", import.meta.url).href);

describe("withLock", () => {
  test("lets processes take turns", async () => {
    const folder = await freshFolder();
    const path = join(folder, "deep", "lock");
    const code = `
      import { mkdirSync, rmdirSync } from "node:fs";
      import { setImmediate } from "node:timers/promises";
      import { withLock } from ${LOCK_MODULE};
      for (let turn = 0; turn < 20; turn += 1) {
        await withLock(${JSON.stringify(path)}, () => {}, async () => {
          mkdirSync(${JSON.stringify(join(folder, "inside"))}); // throws when somebody else is inside
          await setImmediate();
          rmdirSync(${JSON.stringify(join(folder, "inside"))});
        });
      }
      console.log(20);
    `;
    expect(await Promise.all([inNode(code), inNode(code), inNode(code)])).toEqual([20, 20, 20]);
    expect(await readdir(join(folder, "deep"))).toEqual([]);
  });

  test("prints once which process it waits for", async () => {
    const path = join(await freshFolder(), "lock");
    const waits: number[] = [];
    let second: Promise<string> | undefined;
    const first = withLock(path, expect.unreachable, async () => {
      await new Promise<void>((told) => {
        second = withLock(
          path,
          (pid: number) => void told(void waits.push(pid)),
          async () => "second",
        );
      });
      return "first";
    });
    expect([await first, await second]).toEqual(["first", "second"]);
    expect(waits).toEqual([process.pid]);
  });

  test("ignores the lock of a process that no longer exists", async () => {
    const path = join(await freshFolder(), "lock");
    const { pid } = spawnSync(process.execPath, ["--version"]);
    await writeFile(path, String(pid));
    expect(await withLock(path, expect.unreachable, async () => "done")).toBe("done");
    expect(existsSync(path)).toBe(false);
  });

  test("gives the lock back when the work fails", async () => {
    const path = join(await freshFolder(), "lock");
    const failing = withLock(path, expect.unreachable, async () => {
      throw new Error("no luck");
    });
    await expect(failing).rejects.toThrow("no luck");
    expect(existsSync(path)).toBe(false);
  });
});
