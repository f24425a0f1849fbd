import { metaKey } from "../../valkey/keys.js";
import { readerCommands, writerCommands } from "./commands.js";

/** A user that changes entities, or one that only reads. */
export type UserKind = "writer" | "reader";

/** Returns the ACL patterns of the keys of a namespace. */
export function keyPatterns(namespace: string, kind: UserKind): readonly string[] {
  const mark = kind === "writer" ? "~" : "%R~";
  return [`${mark}{${namespace}:*`, `${mark}${metaKey(namespace)}`];
}

/** Returns the ACL pattern of the channels of a namespace. */
export function channelPattern(namespace: string): string {
  return `&${namespace}:*`;
}

/** Returns the commands that a user needs. */
export function commandsOf(kind: UserKind): readonly string[] {
  return kind === "writer" ? writerCommands() : readerCommands();
}

/** Returns the ACL rules for all that a user needs in a namespace. */
export function allRules(kind: UserKind, namespace: string): readonly string[] {
  return [
    ...keyPatterns(namespace, kind),
    channelPattern(namespace),
    ...commandsOf(kind).map((command) => `+${command}`),
  ];
}

/**
 * Returns the command that creates a user with exactly the permissions that it needs.
 *
 * @example userLine("reader", "latchkey") // "ACL SETUSER latchkey-reader reset on >PASSWORD %R~{latchkey:* … +hgetall …"
 */
export function userLine(kind: UserKind, namespace: string): string {
  return `ACL SETUSER ${namespace}-${kind} reset on >PASSWORD ${allRules(kind, namespace).join(" ")}`;
}
