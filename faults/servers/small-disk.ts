import { execFile } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Unavailable } from "../fault.js";

const run = promisify(execFile);
const mounted = new Set<SmallDisk>();
const MIN_BALLAST = 4096;

/** Mounts a disk in memory that can be filled completely and freed again. */
export class SmallDisk {
  /** Folder for a server's data. */
  readonly dataDir: string;
  readonly #folder: string;
  readonly #ballast: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.dataDir = join(folder, "data");
    this.#ballast = join(folder, "ballast");
  }

  /** Mounts a disk. @throws Unavailable if that is not permitted */
  static async mount(folder: string, mebibytes: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    try {
      await run("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder]);
    } catch {
      await rm(folder, { recursive: true });
      throw new Unavailable(
        "cannot mount a small disk here: run as root on Linux (in a container with the capability SYS_ADMIN)",
      );
    }
    const disk = new SmallDisk(folder);
    mounted.add(disk);
    await mkdir(disk.dataDir);
    return disk;
  }

  /** Fills the disk, except for `left` bytes. */
  async fill(left: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    const bytes = Math.max(MIN_BALLAST, bavail * bsize - left);
    // The server may have used the space first. The disk is full in both cases.
    await writeFile(this.#ballast, Buffer.alloc(bytes)).catch(() => {});
  }

  async free(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }

  /** Unmounts all disks. */
  static async closeAll(): Promise<void> {
    for (const disk of mounted) await disk.close();
  }

  async close(): Promise<void> {
    if (!mounted.delete(this)) return;
    await run("umount", ["--lazy", this.#folder]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
