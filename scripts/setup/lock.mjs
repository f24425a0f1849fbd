import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";

/**
 * Runs `work` while it holds a lock file, so that two set-ups (npm start and npm test) run one after the other.
 * The file contains the holder's pid. If that process no longer exists, the lock is free.
 */
export async function withLock(path, onWait, work) {
  mkdirSync(dirname(path), { recursive: true });
  for (let waited = false; !take(path); waited = true) {
    const holder = holderOf(path);
    if (holder === undefined) continue;
    if (!isAlive(holder)) clear(path, holder);
    else {
      if (!waited) onWait(holder);
      await setTimeout(100);
    }
  }
  // This also runs after process.exit. After a kill, the next process ignores the lock.
  const release = () => rmSync(path, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

/** Makes the lock file with its content in one step: nobody ever sees it empty. */
function take(path) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own);
  }
}

/** Takes a dead holder's lock away, unless somebody else did so and holds it by now. */
function clear(path, deadHolder) {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  if (holderOf(aside) === deadHolder) rmSync(aside);
  else renameSync(aside, path);
}

/** The pid in the lock file; undefined when the file is gone by now. */
function holderOf(path) {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
