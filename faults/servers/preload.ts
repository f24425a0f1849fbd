import { execFile } from "node:child_process";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** Number of files that the library remembers. */
export const FILES = 32;

/**
 * The library between a server and the operating system. It shares a page of memory with this process.
 *
 * 1. It adds an offset to the wall clock, which can change while the server runs. CLOCK_MONOTONIC is unchanged, as with
 *    a real clock change. libfaketime does the same, but it reads the clock while jemalloc starts and waits for
 *    jemalloc: a server that links jemalloc dynamically, as on Debian, never starts.
 * 2. It records the size of each file at its last flush, which is what a power failure certainly leaves.
 */
const SOURCE = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile struct {
  int64_t offset_ms;
  struct { int64_t inode, bytes; } flushed[${FILES}];
} *page;

__attribute__((constructor)) static void look(void) {
  const char *path = getenv("FAULTS_PAGE");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *mapped = mmap(0, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) page = mapped;
}

int clock_gettime(clockid_t which, struct timespec *at) {
  int failed = syscall(SYS_clock_gettime, which, at);
  if (failed || !page || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)) return failed;
  int64_t apart = page->offset_ms;
  int64_t ns = at->tv_nsec + apart % 1000 * 1000000;
  int64_t s = at->tv_sec + apart / 1000;
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

static int flush(long call, int file) {
  struct stat before;
  int is_known = page && !fstat(file, &before) && S_ISREG(before.st_mode);
  int failed = syscall(call, file);
  if (failed || !is_known) return failed;
  for (int at = 0; at < ${FILES}; at++) {
    int64_t none = 0;
    if (page->flushed[at].inode != (int64_t)before.st_ino &&
        !__atomic_compare_exchange_n(&page->flushed[at].inode, &none, (int64_t)before.st_ino, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
      continue;
    page->flushed[at].bytes = before.st_size;
    break;
  }
  return 0;
}

int fdatasync(int file) { return flush(SYS_fdatasync, file); }
int fsync(int file) { return flush(SYS_fsync, file); }
`;

let built: Promise<string | undefined> | undefined;

/**
 * Builds the library once per process. Returns undefined without a C compiler or Linux.
 *
 * @param folder for the library, which must stay while servers are started
 */
export async function preload(folder: string): Promise<string | undefined> {
  built ??= build(folder);
  const library = await built;
  if (library === undefined) return undefined;
  const isThere = await access(library).then(
    () => true,
    () => false,
  );
  if (!isThere) built = build(folder);
  return built;
}

async function build(folder: string): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const [source, library] = [join(folder, "preload.c"), join(folder, `preload-${process.pid}.so`)];
  await writeFile(source, SOURCE);
  try {
    await promisify(execFile)("cc", ["-shared", "-fPIC", "-O2", "-o", library, source]);
    return library;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
