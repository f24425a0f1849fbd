import type { Valkey } from "iovalkey";
import { pairsOf } from "../contract/flat-reply.js";
import { replyCode } from "./failure.js";

/** Role of a server in its replication. */
export type ServerRole = "primary" | "replica" | "unknown";

/** Reads the role of a server. HELLO needs no permission. */
export async function readRole(client: Valkey): Promise<ServerRole> {
  const hello = await client.call("HELLO").catch((error: unknown) => {
    if (replyCode(error) === "ERR") return []; // a server without HELLO
    throw error;
  });
  switch (Array.isArray(hello) ? new Map(pairsOf(hello)).get("role") : undefined) {
    case "master":
    case "primary":
      return "primary";
    case "slave":
    case "replica":
      return "replica";
    default:
      return "unknown";
  }
}
