import { constants } from "node:fs";
import { access, open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes sure that a file can be written at a path at the end of a run, and leaves what is there.
 *
 * @throws Error that says why not, and what to do
 */
export async function expectWritable(path: string): Promise<void> {
  try {
    const there = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    // It is removed and written anew.
    if (there !== undefined && !there.isFile()) throw new Error("it is there, and not a file");
    await access(dirname(path), constants.W_OK);
    await (await open(path, "a")).close();
    if (there === undefined) await rm(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the history can't be written to ${path}: ${reason}; give --history a file in a folder that is there and may be written`,
    );
  }
}
