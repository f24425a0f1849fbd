import type { Valkey } from "iovalkey";
import { replyCode } from "../valkey/failure.js";

/** Whether the server is a replica, which runs no script that may write. Needs no right: every user may say HELLO. */
export async function isReplica(client: Valkey): Promise<boolean> {
  const hello = await client.call("HELLO").catch((error: unknown) => {
    if (replyCode(error) === "ERR") return []; // a server without HELLO
    throw error;
  });
  const role: unknown = Array.isArray(hello) ? hello[hello.indexOf("role") + 1] : undefined;
  return role === "replica" || role === "slave";
}

/** Whether the user may walk over all keys of the server. */
export async function mayScan(client: Valkey): Promise<boolean> {
  try {
    await client.scan("0", "COUNT", 1);
    return true;
  } catch (error) {
    if (replyCode(error) === "NOPERM") return false;
    throw error;
  }
}
