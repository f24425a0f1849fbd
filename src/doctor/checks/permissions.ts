import { isNode } from "../../valkey/cluster/view.js";
import { fail, info, type Outcome, ok } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { channelPattern, keyPatterns } from "../permissions/acl.js";
import { deniedFeatures, featuresOf } from "../permissions/features.js";
import type { PermissionKind } from "../permissions/probe.js";
import { type Place, ProbedUser } from "../permissions/probed-user.js";
import type { Role } from "../permissions/role-names.js";
import { query, unlessDenied } from "../query.js";

/** The fix for a user whose role is not known. */
const ANY_ROLE = "create the user again with the line of its role, which `latchkey acl --role ROLE` prints";

/** Commands that write keys. */
const WRITES = /^(evalsha\||(hset|hsetnx|rpush|xadd|zadd|zrem)$)/;

/**
 * Checks that the user has the permissions of the role that it was made for. Never advises to give it those of another
 * role.
 */
export async function permissions(context: DoctorContext): Promise<Outcome> {
  const { user, location } = context;
  const { client } = context.connection;
  const cluster = await query("hello", () => isNode(client));
  const place = { cluster, database: (client.options.db ?? 0) !== 0 };
  // Partitions do not differ in permissions.
  const probed = await unlessDenied(ProbedUser.probe(context, { ...location, partitions: 1 }, place));
  if (probed === undefined) {
    const status = `user ${user}: unknown without +multi or +acl|dryrun`;
    const meaning = "lists and the event log need +multi; other missing permissions are unknown";
    return fail(status, meaning, ANY_ROLE);
  }
  const { purpose } = probed;
  if (purpose === undefined)
    return fail(`user ${user} has the permissions of no role`, "calls are rejected with NOPERM", ANY_ROLE);
  const rules = missingRules(probed, purpose, location.namespace);
  if (rules.length === 0) return sufficient(context, probed.roles, place);
  const fix =
    purpose.join() === "reactor" ? lineOf(purpose, user, place) : `ACL SETUSER ${user} ${rules.join(" ")}`;
  const names = rules.map((rule) => rule.slice(1));
  const features = featuresOf(purpose);
  const isOptional = names.every((name) => features.some(([extras]) => extras.includes(name)));
  const work = workOf(purpose);
  if (isOptional && work !== undefined)
    return info(`user ${user} ${work}`, `${READS}, but ${deniedFeatures(features, names)}`, fix);
  const status = `user ${user} lacks ${shortened(rules)}`;
  if (isOptional) return info(status, `enough for changes, but ${deniedFeatures(features, names)}`, fix);
  return fail(status, "calls that need these are rejected with NOPERM before any write", fix);
}

/** Returns the command that prints the missing permissions of a user, for a role with rules for some of its keys. */
function lineOf(roles: readonly Role[], user: string, { cluster }: Place): string {
  const options = roles.map((role) => `--role ${role}`).join(" ");
  return `latchkey acl ${options} --user ${user} --add${cluster ? " --cluster" : ""}`;
}

/** Joins rules. Those of scripts differ only in a long number. */
function shortened(rules: readonly string[]): string {
  const scripts = rules.filter((rule) => rule.startsWith("+evalsha|"));
  const others = rules.filter((rule) => !scripts.includes(rule));
  if (scripts.length < 2) return rules.join(" ");
  return [...others, `+evalsha of ${scripts.length} scripts of this version`].join(" ");
}

/** Returns the missing rules. The server reports a command before a key, so keys are granted unless a call proves them. */
function missingRules(probed: ProbedUser, roles: readonly Role[], namespace: string): string[] {
  const denied = probed.missingOf(roles);
  if (denied.length === 0) return [];
  const isReader = roles.every((role) => role === "reader");
  const allowed = probed.calls.filter(({ missing }) => missing === undefined).map(({ command }) => command);
  const isDenied = (kind: PermissionKind): boolean => denied.some(({ missing }) => missing === kind);
  const provesKeys = isReader ? /^(hgetall|hmget|zscore)$/ : WRITES;
  const needsKeys = isDenied("key") || !allowed.some((command) => provesKeys.test(command));
  const needsChannel =
    isDenied("channel") || !allowed.some((command) => /^(publish|subscribe)$/.test(command));
  const commands = denied.filter(({ missing }) => missing === "command").map(({ command }) => `+${command}`);
  return [
    ...(needsKeys ? keyPatterns({ namespace }, isReader ? "read" : "write") : []),
    ...(needsChannel ? [channelPattern({ namespace })] : []),
    ...new Set(commands),
  ];
}

const READS = "enough for get, list, history and events";

/** Describes a user who does not change entities as a writer does; undefined for others. */
function workOf(roles: readonly Role[]): string | undefined {
  if (roles.includes("writer") || roles.includes("operator")) return undefined;
  if (roles.includes("restorer")) return "may read, restore, import and remove entities";
  return roles.includes("reactor")
    ? "may read and handle events of reactions, and change nothing"
    : "may read, and change nothing";
}

async function sufficient(
  context: DoctorContext,
  roles: readonly Role[],
  { cluster }: Place,
): Promise<Outcome> {
  const { user } = context;
  const enough = `enough for the ${roles.length === 1 ? "role" : "roles"} ${roles.join(", ")}`;
  const work = workOf(roles);
  if (work !== undefined)
    return info(`user ${user} ${work}`, `${enough}: get, list, history and events, and fsck`);
  const mayReadSettings = (await unlessDenied(context.config())) !== undefined;
  const lacks = [
    ...(roles.includes("reactor") ? [] : ["reactions (`latchkey acl --role reactor`)"]),
    ...(mayReadSettings ? [] : ["durability on disk (`latchkey acl --fsync`)"]),
  ];
  const exception = lacks.length === 0 ? "" : `, except ${lacks.join(" and ")}`;
  const meaning = `${enough}: all commands of the scripts and the client are allowed on the namespace's keys and channels${exception}`;
  if (user !== "default") return ok(`sufficient for user ${user}`, meaning);
  const advice = "; a separate user limits the damage of a stolen password";
  return info(
    "sufficient for user default",
    `${meaning}${advice}`,
    `latchkey acl --role writer${cluster ? " --cluster" : ""}`,
  );
}
