import { metaKey } from "../../valkey/keys.js";
import { FSYNC } from "./commands.js";
import type { Role } from "./role-names.js";
import {
  functionGrantsOf,
  type Grant,
  grantsOf,
  hasFunctions,
  placeCommandsOf,
  type Scope,
} from "./roles.js";

/** The keys and channels of a user: those of a namespace, or those of one of its machines. */
export interface AclScope {
  readonly namespace: string;
  readonly machine?: string;
}

/** Describes a user. */
export interface AclUser extends AclScope {
  readonly roles: readonly Role[];
  /** @default the namespace and the roles, joined by `-` */
  readonly name?: string;
  /** Adds the permissions to those of an existing user, instead of creating it. @default false */
  readonly add?: boolean;
  /** Permits the functions of the library instead of the scripts. @default false */
  readonly functions?: boolean;
  /** Permits durability on disk. @default false */
  readonly fsync?: boolean;
  /** Permits what a client of a cluster needs. @default false */
  readonly cluster?: boolean;
  /** Permits a database other than 0. @default false */
  readonly database?: boolean;
}

/** Returns the ACL patterns of keys. */
export function keyPatterns({ namespace, machine }: AclScope, scope: Scope): readonly string[] {
  const start = `{${namespace}:*`;
  const mark = scope === "read" ? "%R~" : "~";
  // An id may contain colons. Only with the name of the machine do these match no entity.
  if (scope === "reaction-keys") return [`~${start}}:${machine ?? "*"}:reaction:*`];
  if (scope === "reaction-streams")
    return [
      `~${start}}:${machine ?? "*"}:events`,
      ...keyPatterns({ namespace, ...of(machine) }, "reaction-keys"),
    ];
  const own = machine === undefined ? [start] : [`${start}}:${machine}:*`, `${start}}:machines`];
  return [...own, metaKey(namespace)].map((pattern) => mark + pattern);
}

function of(machine: string | undefined): Pick<AclScope, "machine"> {
  return machine === undefined ? {} : { machine };
}

/** Returns the ACL pattern of channels. */
export function channelPattern({ namespace, machine }: AclScope): string {
  return `&${namespace}:${machine === undefined ? "" : `${machine}:`}*`;
}

/** Returns the ACL rules for all that a user needs. */
export function allRules(user: AclUser): readonly string[] {
  const { roles, functions = false, fsync = false, cluster = false, database = false } = user;
  const all = roles.map((role) =>
    functions && hasFunctions(role) ? functionGrantsOf(role) : grantsOf(role),
  );
  const first = all.flatMap(([grant]) => grant ?? []);
  const selectors = all.flatMap(([, ...others]) => others);
  const ofPlace = roles.flatMap((role) => placeCommandsOf(role, { cluster, database }));
  const more = [...(fsync ? FSYNC : []), ...ofPlace];
  return [
    ...mergedPatterns(first, user),
    channelPattern(user),
    ...[...new Set([...first.flatMap(({ commands }) => commands), ...more])].sort().map(allow),
    ...new Set(
      selectors.map(
        (grant) => `(${[...keyPatterns(user, grant.scope), ...grant.commands.map(allow)].join(" ")})`,
      ),
    ),
  ];
}

/** A user who may write keys may read them. */
function mergedPatterns(grants: readonly Grant[], scope: AclScope): readonly string[] {
  const canWrite = grants.some((grant) => grant.scope === "write");
  return keyPatterns(scope, canWrite ? "write" : "read");
}

function allow(command: string): string {
  return `+${command}`;
}

/**
 * Returns the command that creates a user with exactly the permissions that it needs, or adds them to a user.
 *
 * @example userLine({ roles: ["reader"], namespace: "latchkey" }) // "ACL SETUSER latchkey-reader reset on >PASSWORD …"
 */
export function userLine(user: AclUser): string {
  const { namespace, roles, name = [namespace, ...roles].join("-"), add = false } = user;
  // `reset` leaves all channels if the server is set up so.
  const start = add ? [] : ["reset", "on", ">PASSWORD", "resetchannels"];
  return ["ACL", "SETUSER", name, ...start, ...allRules(user)].join(" ");
}
