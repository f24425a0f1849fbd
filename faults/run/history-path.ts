import { constants } from "node:fs";
import { access, open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Checks that a file can be written at a path at the end of a run. It keeps an existing file.
 *
 * @throws Error with the reason and a fix
 */
export async function expectWritable(path: string): Promise<void> {
  try {
    const there = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    // The file is replaced at the end of the run.
    if (there !== undefined && !there.isFile()) throw new Error("it exists and is not a file");
    await access(dirname(path), constants.W_OK);
    await (await open(path, "a")).close();
    if (there === undefined) await rm(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `cannot write the history to ${path}: ${reason}; use --history with a file in an existing, writable folder`,
    );
  }
}
