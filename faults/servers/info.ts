import type { Valkey } from "iovalkey";

/** Returns one field of INFO, or undefined if it is absent. */
export async function infoField(admin: Valkey, section: string, field: string): Promise<string | undefined> {
  const text = await admin.info(section);
  return new RegExp(`^${field}:(.*?)\\r?$`, "m").exec(text)?.[1];
}

/** Returns how many replies with an error code the server has sent since it started. */
export async function errorCount(admin: Valkey, code: string): Promise<number> {
  const counted = await infoField(admin, "errorstats", `errorstat_${code}`);
  return Number(counted?.replace("count=", "") ?? 0);
}
