import { hostname, userInfo } from "node:os";

const MAX_BYTES = 128;

/** Returns the default actor of changes: `cli:<user>@<host>`. */
export function defaultActor(env: Readonly<Record<string, string | undefined>>): string {
  const text = `cli:${userName(env)}@${hostname()}`.replace(/\p{Cc}/gu, "");
  let actor = "";
  for (const character of text) {
    if (Buffer.byteLength(actor + character) > MAX_BYTES) break;
    actor += character;
  }
  return actor;
}

/** Returns the name of the user. A container may run as a user without one. */
function userName(env: Readonly<Record<string, string | undefined>>): string {
  try {
    return userInfo().username;
  } catch {
    return env.USER ?? "unknown";
  }
}
