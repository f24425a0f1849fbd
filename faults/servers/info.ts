import type { Valkey } from "iovalkey";

/** One field of INFO; undefined where it is not there. */
export async function infoField(admin: Valkey, section: string, field: string): Promise<string | undefined> {
  const text = await admin.info(section);
  return new RegExp(`^${field}:(.*?)\\r?$`, "m").exec(text)?.[1];
}

/** How many replies with this error code the server has given since it started. */
export async function errorCount(admin: Valkey, code: string): Promise<number> {
  const counted = await infoField(admin, "errorstats", `errorstat_${code}`);
  return Number(counted?.replace("count=", "") ?? 0);
}
