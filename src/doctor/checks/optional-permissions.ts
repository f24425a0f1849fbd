import type { CheckResult } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { missingFor } from "../permissions/probe.js";
import { samplesOf } from "../permissions/samples.js";
import { unlessDenied } from "../query.js";

/** A command that one function needs. No generated ACL line includes it, because of what else it allows. */
interface OptionalPermission {
  readonly id: string;
  readonly command: string;
  readonly feature: string;
  readonly meaning: string;
  readonly rule: string;
  /** The commands of a user who can use the function. */
  readonly usedWith: readonly string[];
}

const FSYNC: OptionalPermission = {
  id: "permissions/fsync",
  command: "CONFIG GET",
  feature: "durability fsync",
  meaning:
    "changes with durability fsync are applied but end with NotDurableError, because appendfsync is not readable; grant it only if you use fsync, because CONFIG GET also exposes passwords",
  rule: "+config|get",
  usedWith: ["evalsha", "hset", "waitaof"],
};

const RESTORE: OptionalPermission = {
  id: "permissions/restore",
  command: "RESTORE",
  feature: "restore",
  meaning:
    "restore is rejected with NOPERM; grant it only to an administrator, because it creates entities in any state",
  rule: "+restore",
  usedWith: ["evalsha", "hset"],
};

/** Returns the optional permissions that the user lacks. */
export async function missingOptional(context: DoctorContext): Promise<readonly OptionalPermission[]> {
  const mayReadSettings = (await unlessDenied(context.config())) !== undefined;
  return [
    ...(mayReadSettings ? [] : [FSYNC]),
    ...((await allows(context, ["restore"])) === false ? [RESTORE] : []),
  ];
}

/** Reports the optional permissions that a writer lacks. */
export async function optionalPermissions(context: DoctorContext): Promise<CheckResult[]> {
  const { user } = context;
  const results: CheckResult[] = [];
  for (const { id, command, meaning, rule, usedWith } of await missingOptional(context)) {
    if ((await allows(context, usedWith)) !== true) continue;
    const status = `user ${user} lacks ${command}`;
    results.push({ id, level: "info", status, meaning, fix: `ACL SETUSER ${user} ${rule}` });
  }
  return results;
}

/** Returns true if the user may send these commands, and undefined if that is not known. */
async function allows(context: DoctorContext, commands: readonly string[]): Promise<boolean | undefined> {
  const location = { ...context.location, partitions: 1 };
  const samples = commands.flatMap((command) => samplesOf(command, location));
  const missing = await unlessDenied(missingFor(context, samples));
  return missing?.every((kind) => kind === undefined);
}
