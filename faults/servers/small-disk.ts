import { execFile } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Unavailable } from "../fault.js";

const run = promisify(execFile);
const mounted = new Set<SmallDisk>();
const NEVER_GIVEN = 4096;

/** A disk of its own, in memory, that can be filled to the last page and freed again. */
export class SmallDisk {
  /** Where a server's data goes. */
  readonly dataDir: string;
  readonly #folder: string;
  readonly #ballast: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.dataDir = join(folder, "data");
    this.#ballast = join(folder, "ballast");
  }

  /** Mounts one. @throws Unavailable where that is not allowed. */
  static async mount(folder: string, mebibytes: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    try {
      await run("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder]);
    } catch {
      await rm(folder, { recursive: true });
      throw new Unavailable(
        "a disk that gets full can't be mounted here: run as root on Linux (in a container with the capability SYS_ADMIN)",
      );
    }
    const disk = new SmallDisk(folder);
    mounted.add(disk);
    await mkdir(disk.dataDir);
    return disk;
  }

  /** Takes what is left, but for so many bytes. */
  async fill(left: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    const bytes = Math.max(NEVER_GIVEN, bavail * bsize - left);
    // Somebody else may have been quicker: full is full.
    await writeFile(this.#ballast, Buffer.alloc(bytes)).catch(() => {});
  }

  async free(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }

  /** Takes away all that there are. */
  static async closeAll(): Promise<void> {
    for (const disk of mounted) await disk.close();
  }

  async close(): Promise<void> {
    if (!mounted.delete(this)) return;
    await run("umount", ["--lazy", this.#folder]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
