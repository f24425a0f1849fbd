import { execFile } from "node:child_process";
import { access, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Unavailable } from "../fault.js";

/**
 * Adds what stands in a file to the wall clock of a program, as it stands there at each look: the clock can jump while
 * the program runs. Time that only counts (CLOCK_MONOTONIC) goes on, as it does where a real clock is set.
 *
 * libfaketime does the same, but its first look at the clock is made inside the start of jemalloc, where it waits for
 * jemalloc: with a server that links jemalloc dynamically, as Debian's does, neither ever starts.
 */
const SOURCE = `
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_ms;

__attribute__((constructor)) static void look(void) {
  const char *path = getenv("FAULTS_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (page != MAP_FAILED) offset_ms = page;
}

int clock_gettime(clockid_t which, struct timespec *at) {
  int failed = syscall(SYS_clock_gettime, which, at);
  if (failed || !offset_ms || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)) return failed;
  int64_t ns = at->tv_nsec + *offset_ms % 1000 * 1000000;
  int64_t s = at->tv_sec + *offset_ms / 1000;
  if (ns < 0) ns += 1000000000, s -= 1;
  if (ns >= 1000000000) ns -= 1000000000, s += 1;
  at->tv_sec = s;
  at->tv_nsec = ns;
  return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}
`;

let built: Promise<string | undefined> | undefined;

/** A clock of a server, which can be set apart from the machine's while the server runs. */
export class ServerClock {
  readonly #file: string;
  /** What the server's environment needs; nothing where clocks cannot be set here. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(file: string, library: string | undefined) {
    this.#file = file;
    this.env = library === undefined ? {} : { LD_PRELOAD: library, FAULTS_CLOCK: file };
  }

  /**
   * Makes a clock that goes right.
   *
   * @param folder where the library goes, built once by this process, which must stay while servers are started
   */
  static async make(file: string, folder: string): Promise<ServerClock> {
    await writeFile(file, Buffer.alloc(8));
    built ??= build(folder);
    const library = await built;
    const isThere =
      library !== undefined &&
      (await access(library).then(
        () => true,
        () => false,
      ));
    if (library !== undefined && !isThere) built = build(folder);
    return new ServerClock(file, await built);
  }

  /**
   * Sets it apart from the machine's clock by so many ms, at once.
   * @throws Unavailable where clocks cannot be set here.
   */
  async set(offsetMs: number): Promise<void> {
    if (this.env.LD_PRELOAD === undefined) {
      throw new Unavailable("the clock of a server cannot be set: that takes Linux and a C compiler (cc)");
    }
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(offsetMs)));
    // In place: the server has this very file mapped.
    const file = await open(this.#file, "r+");
    await file.write(bytes, 0, 8, 0);
    await file.close();
  }
}

async function build(folder: string): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const [source, library] = [join(folder, "clock.c"), join(folder, `clock-${process.pid}.so`)];
  await writeFile(source, SOURCE);
  try {
    await promisify(execFile)("cc", ["-shared", "-fPIC", "-O2", "-o", library, source]);
    return library;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
