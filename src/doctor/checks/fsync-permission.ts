import type { CheckResult } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { missingFor } from "../permissions/probe.js";
import { samplesOf } from "../permissions/samples.js";
import { unlessDenied } from "../query.js";

/** Returns true if the user may read settings, as the client does before it waits for an fsync. */
export async function mayReadSettings(context: DoctorContext): Promise<boolean> {
  return (await unlessDenied(context.config())) !== undefined;
}

/** Reports a writer that lacks only CONFIG GET for durability fsync. No generated ACL line includes it. */
export async function fsyncPermission(context: DoctorContext): Promise<CheckResult[]> {
  if (await mayReadSettings(context)) return [];
  const location = { ...context.location, partitions: 1 };
  const samples = ["evalsha", "hset", "waitaof"].flatMap((command) => samplesOf(command, location));
  const missing = await unlessDenied(missingFor(context, samples));
  if (missing === undefined || missing.some((part) => part !== undefined)) return [];
  const { user } = context;
  const status = `user ${user} lacks CONFIG GET`;
  const meaning =
    "changes with durability fsync are applied but end with NotDurableError, because appendfsync is not readable; grant it only if you use fsync, because CONFIG GET also exposes passwords";
  const fix = `ACL SETUSER ${user} +config|get`;
  return [{ id: "permissions/fsync", level: "info", status, meaning, fix }];
}
