import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { NotAllowed } from "../not-allowed.js";
import { hasReplayDefect } from "./defects.js";

/** Whether changes are written to disk as they are made. */
export async function appendOnly(context: DoctorContext): Promise<Finding> {
  const id = "appendonly";
  const isOn = (await context.infoField("aof_enabled")) === "1";
  if (isOn) return { id, level: "ok", seen: "yes", means: "changes are written to disk as they are made" };
  const mend = "CONFIG SET appendonly yes, then CONFIG REWRITE";
  let save: string | undefined;
  try {
    save = await context.setting("save");
  } catch (error) {
    if (!(error instanceof NotAllowed)) throw error;
    return {
      id,
      level: "warn",
      seen: "no; whether there are snapshots can't be asked without +config|get",
      means: "a crash loses every change since the last snapshot, and without snapshots everything",
      mend,
    };
  }
  return save === ""
    ? { id, level: "bad", seen: "no, and no snapshots", means: "a restart loses everything", mend }
    : {
        id,
        level: "warn",
        seen: `no, snapshots only (save ${save})`,
        means: "a crash loses every change since the last snapshot, also acknowledged ones",
        mend,
      };
}

/** How soon a change is on the disk itself. */
export async function appendFsync(context: DoctorContext): Promise<Finding> {
  const id = "appendfsync";
  const seen = (await context.setting("appendfsync")) ?? "unknown";
  if ((await context.infoField("aof_enabled")) !== "1") {
    return { id, level: "ok", seen, means: "without an append-only file it means nothing" };
  }
  if (seen === "always") {
    return {
      id,
      level: "ok",
      seen,
      means: "an acknowledged change has reached the disk, as durability fsync needs",
    };
  }
  if (seen === "everysec") {
    const means =
      "a power failure may lose the last one or two seconds, also acknowledged changes; durability fsync is refused";
    return { id, level: "note", seen, means, mend: "CONFIG SET appendfsync always" };
  }
  const means =
    "the operating system decides when changes reach the disk: a power failure may lose half a minute; durability fsync is refused";
  return { id, level: "warn", seen, means, mend: "CONFIG SET appendfsync everysec" };
}

/** Whether a rewrite of the file suspends what appendfsync promises. */
export async function fsyncOnRewrite(context: DoctorContext): Promise<Finding> {
  const id = "no-appendfsync-on-rewrite";
  const seen = (await context.setting(id)) ?? "unknown";
  if (seen === "no") return { id, level: "ok", seen, means: "appendfsync holds during rewrites too" };
  const means = "while the append-only file is rewritten nothing is flushed, whatever appendfsync says";
  return { id, level: "warn", seen, means, mend: `CONFIG SET ${id} no` };
}

/** Whether a file with a torn end is loaded as it is, on versions that then go on writing behind the torn part. */
export async function loadTruncated(context: DoctorContext): Promise<Finding> {
  const id = "aof-load-truncated";
  const seen = (await context.setting(id)) ?? "unknown";
  const { version, product } = await context.greeting();
  const isAffected = product === "valkey" && version !== undefined && hasReplayDefect(version);
  const isOn = (await context.infoField("aof_enabled")) === "1";
  if (seen !== "yes" || !isAffected || !isOn) {
    return { id, level: "ok", seen, means: "a torn end of the append-only file does no further harm" };
  }
  const means =
    "after a crash this version keeps a torn transaction in the file: what is written behind it is lost at the next restart (PR 4342)";
  const mend = "CONFIG SET aof-load-truncated no, and mend a torn file with valkey-check-aof --fix";
  return { id, level: "warn", seen, means, mend };
}

/** Whether the server can write to its disk now: if not, it refuses changes. */
export async function diskWrites(context: DoctorContext): Promise<Finding> {
  const id = "disk";
  const info = await context.info();
  const failed = ["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"].filter(
    (field) => (info.get(field) ?? "ok") !== "ok",
  );
  if (failed.length === 0)
    return { id, level: "ok", seen: "the last writes succeeded", means: "data can be kept" };
  const means = "the server could not write its data, and may refuse changes with MISCONF";
  return {
    id,
    level: "bad",
    seen: `failed: ${failed.join(", ")}`,
    means,
    mend: "free space, or mend the rights of the server's folder",
  };
}
