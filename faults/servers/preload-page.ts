import { open, readFile, writeFile } from "node:fs/promises";
import { Unavailable } from "../fault.js";
import { FILES, preload } from "./preload.js";

const CLOCK_BYTES = 8;
const FILE_BYTES = 16;

/** The machine as one server sees it: its wall clock, and its disk. */
export class PreloadPage {
  readonly #file: string;
  /** What the server's environment needs; nothing where this machine can't do it. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(file: string, library: string | undefined) {
    this.#file = file;
    this.env = library === undefined ? {} : { LD_PRELOAD: library, FAULTS_PAGE: file };
  }

  /**
   * Makes one whose clock goes right.
   *
   * @param folder where the library goes that the server is started with; must stay while servers are started
   */
  static async make(file: string, folder: string): Promise<PreloadPage> {
    await writeFile(file, Buffer.alloc(CLOCK_BYTES + FILES * FILE_BYTES));
    return new PreloadPage(file, await preload(folder));
  }

  /**
   * Sets the clock apart from the machine's by so many ms, at once.
   * @throws Unavailable where clocks can't be set here.
   */
  async setClock(offsetMs: number): Promise<void> {
    this.#expectLibrary("the clock of a server can't be set");
    const bytes = Buffer.alloc(CLOCK_BYTES);
    bytes.writeBigInt64LE(BigInt(Math.round(offsetMs)));
    await this.#write(bytes, 0);
  }

  /** Forgets which files were flushed: another process begins, with nothing flushed by it. */
  async forgetFlushed(): Promise<void> {
    await this.#write(Buffer.alloc(FILES * FILE_BYTES), CLOCK_BYTES);
  }

  /**
   * How long files were when they were last flushed to disk, by their inodes.
   * @throws Unavailable where that can't be told.
   */
  async flushed(): Promise<ReadonlyMap<bigint, number>> {
    this.#expectLibrary("what is on the disk of a server can't be told");
    const bytes = await readFile(this.#file);
    const files = new Map<bigint, number>();
    for (let at = CLOCK_BYTES; at < bytes.length; at += FILE_BYTES) {
      const inode = bytes.readBigInt64LE(at);
      if (inode !== 0n) files.set(inode, Number(bytes.readBigInt64LE(at + 8)));
    }
    return files;
  }

  #expectLibrary(what: string): void {
    if (this.env.LD_PRELOAD === undefined) {
      throw new Unavailable(
        `${what} here: run on Linux, and install a C compiler (cc; on Debian the package gcc)`,
      );
    }
  }

  /** In place: the server has this very file mapped. */
  async #write(bytes: Buffer, at: number): Promise<void> {
    const file = await open(this.#file, "r+");
    await file.write(bytes, 0, bytes.length, at);
    await file.close();
  }
}
