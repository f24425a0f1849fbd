import { metaKey } from "../../valkey/keys.js";
import { readerCommands, writerCommands } from "./needs.js";

/** Who a user is to be: one who changes entities, or one who only looks. */
export type Kind = "writer" | "reader";

/** The ACL patterns of all keys of a namespace, and of nothing else. */
export function keyPatterns(namespace: string, kind: Kind): readonly string[] {
  const mark = kind === "writer" ? "~" : "%R~";
  return [`${mark}{${namespace}:*`, `${mark}${metaKey(namespace)}`];
}

/** The ACL pattern of all channels of a namespace. */
export function channelPattern(namespace: string): string {
  return `&${namespace}:*`;
}

/** The commands that a user of a kind needs. */
export function commandsOf(kind: Kind): readonly string[] {
  return kind === "writer" ? writerCommands() : readerCommands();
}

/** The ACL rules of everything that a user of a kind needs in a namespace. */
export function allRules(kind: Kind, namespace: string): readonly string[] {
  return [
    ...keyPatterns(namespace, kind),
    channelPattern(namespace),
    ...commandsOf(kind).map((command) => `+${command}`),
  ];
}

/**
 * The line that makes a user with exactly the rights that are needed.
 *
 * @example userLine("reader", "latchkey") // "ACL SETUSER latchkey-reader reset on >PASSWORD %R~{latchkey:* … +hgetall …"
 */
export function userLine(kind: Kind, namespace: string): string {
  return `ACL SETUSER ${namespace}-${kind} reset on >PASSWORD ${allRules(kind, namespace).join(" ")}`;
}
