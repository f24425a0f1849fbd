import { open, readFile, writeFile } from "node:fs/promises";
import { Unavailable } from "../fault.js";
import { FILES, preload } from "./preload.js";

const CLOCK_BYTES = 8;
const FILE_BYTES = 16;

/** Controls the wall clock of one server, and reads what it has flushed to disk. It shares memory with a preloaded library. */
export class PreloadPage {
  readonly #file: string;
  /** Environment variables of the server; empty if the library cannot be built here. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(file: string, library: string | undefined) {
    this.#file = file;
    this.env = library === undefined ? {} : { LD_PRELOAD: library, FAULTS_PAGE: file };
  }

  /**
   * Makes a page whose clock is correct.
   *
   * @param folder for the library, which must stay while servers are started
   */
  static async make(file: string, folder: string): Promise<PreloadPage> {
    await writeFile(file, Buffer.alloc(CLOCK_BYTES + FILES * FILE_BYTES));
    return new PreloadPage(file, await preload(folder));
  }

  /**
   * Sets the server's clock to an offset from this machine's clock, in ms. It takes effect at once.
   * @throws Unavailable if clocks cannot be set here
   */
  async setClock(offsetMs: number): Promise<void> {
    this.#expectLibrary("cannot set the clock of a server");
    const bytes = Buffer.alloc(CLOCK_BYTES);
    bytes.writeBigInt64LE(BigInt(Math.round(offsetMs)));
    await this.#write(bytes, 0);
  }

  /** Forgets which files were flushed, before another process starts. */
  async forgetFlushed(): Promise<void> {
    await this.#write(Buffer.alloc(FILES * FILE_BYTES), CLOCK_BYTES);
  }

  /**
   * Returns the sizes of files when they were last flushed, by inode.
   * @throws Unavailable if flushes cannot be observed here
   */
  async flushed(): Promise<ReadonlyMap<bigint, number>> {
    this.#expectLibrary("cannot observe what a server flushes");
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

  /** Writes in place, because the server has this file mapped. */
  async #write(bytes: Buffer, at: number): Promise<void> {
    const file = await open(this.#file, "r+");
    await file.write(bytes, 0, bytes.length, at);
    await file.close();
  }
}
