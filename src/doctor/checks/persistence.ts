import { fail, info, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { unlessDenied } from "../query.js";
import { hasReplayDefect } from "./defects.js";

/** Checks that changes are written to an append-only file. */
export async function appendOnly(context: DoctorContext): Promise<Outcome> {
  if (await hasAppendOnlyFile(context)) return ok("yes", "each change is written to disk");
  const fix = "CONFIG SET appendonly yes, then CONFIG REWRITE";
  if ((await unlessDenied(context.config())) === undefined) {
    const meaning =
      "a crash loses every change since the last snapshot, or everything if there are no snapshots";
    return warn("no; snapshots unknown, because CONFIG GET needs +config|get", meaning, fix);
  }
  const save = (await context.config()).get("save");
  if (save === "") return fail("no, and no snapshots", "a restart loses everything", fix);
  const meaning = "a crash loses every change since the last snapshot, acknowledged ones too";
  return warn(`no, snapshots only (save ${save})`, meaning, fix);
}

/** Checks when a change reaches the disk. */
export async function appendFsync(context: DoctorContext): Promise<Outcome> {
  const status = (await context.config()).get("appendfsync") ?? "unknown";
  if (!(await hasAppendOnlyFile(context))) return ok(status, "no effect without an append-only file");
  if (status === "always")
    return ok(status, "an acknowledged change is on disk, as durability fsync requires");
  if (status === "everysec") {
    const meaning =
      "a power failure may lose the last one or two seconds, acknowledged changes too; durability fsync is rejected";
    return info(status, meaning, "CONFIG SET appendfsync always");
  }
  const meaning =
    "the operating system decides when changes reach the disk: a power failure may lose half a minute; durability fsync is rejected";
  return warn(status, meaning, "CONFIG SET appendfsync everysec");
}

/** Checks that appendfsync also applies while the append-only file is rewritten. */
export async function fsyncOnRewrite(context: DoctorContext): Promise<Outcome> {
  const name = "no-appendfsync-on-rewrite";
  const status = (await context.config()).get(name) ?? "unknown";
  if (status === "no") return ok(status, "appendfsync also applies during rewrites");
  const meaning = "nothing is flushed while the append-only file is rewritten, despite appendfsync";
  return warn(status, meaning, `CONFIG SET ${name} no`);
}

/** Checks that a truncated file is not loaded, on versions that then append after the truncated part. */
export async function loadTruncated(context: DoctorContext): Promise<Outcome> {
  const status = (await context.config()).get("aof-load-truncated") ?? "unknown";
  const { version, product } = await context.identity();
  const isAffected = product === "valkey" && version !== undefined && hasReplayDefect(version);
  if (status !== "yes" || !isAffected || !(await hasAppendOnlyFile(context)))
    return ok(status, "a truncated append-only file loses no later changes");
  const meaning =
    "after a crash this version keeps a truncated transaction in the file, and loses later changes at the next restart (PR 4342)";
  const fix = "CONFIG SET aof-load-truncated no, and repair a truncated file with valkey-check-aof --fix";
  return warn(status, meaning, fix);
}

/** Checks that the server can write to its disk; else it rejects changes. */
export async function diskWrites(context: DoctorContext): Promise<Outcome> {
  const fields = await context.info();
  const failed = ["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"].filter(
    (field) => (fields.get(field) ?? "ok") !== "ok",
  );
  if (failed.length === 0) return ok("the last writes succeeded", "the server can save its data");
  const meaning = "the server cannot save its data, and may reject changes with MISCONF";
  const fix = "free disk space, or fix the permissions of the server's folder";
  return fail(`failed: ${failed.join(", ")}`, meaning, fix);
}

async function hasAppendOnlyFile(context: DoctorContext): Promise<boolean> {
  return (await context.info()).get("aof_enabled") === "1";
}
