import { hostname, userInfo } from "node:os";

/** Returns the default actor of changes: `cli:<user>@<host>`. */
export function defaultActor(env: Readonly<Record<string, string | undefined>>): string {
  return `cli:${userName(env)}@${hostname()}`;
}

/** Returns the name of the user. A container may run as a user without one. */
function userName(env: Readonly<Record<string, string | undefined>>): string {
  try {
    return userInfo().username;
  } catch {
    return env.USER ?? "unknown";
  }
}
