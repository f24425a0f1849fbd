import type { MachineLocation } from "../../valkey/keys.js";
import { fail, info, type Outcome, ok } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { allRules, channelPattern, commandsOf, keyPatterns, userLine } from "../permissions/acl.js";
import {
  DURABILITY,
  FSCK_ONLY,
  FSCK_READS,
  REACTION_ONLY,
  REACTION_READS,
  READER_EXTRAS,
  STATS_ONLY,
  STATS_READS,
} from "../permissions/commands.js";
import { missingFor, type PermissionKind } from "../permissions/probe.js";
import { samplesOf } from "../permissions/samples.js";
import { unlessDenied } from "../query.js";
import { missingOptional } from "./optional-permissions.js";

/** Commands that a reader never needs. */
const WRITES = ["evalsha", "hset", "hsetnx", "rpush", "xadd", "zadd", "zrem"];

/** Optional commands, and the functions that need them. */
type Extras = readonly (readonly [commands: readonly string[], feature: string])[];

const WRITER_EXTRAS: Extras = [
  [DURABILITY, "durability"],
  [REACTION_ONLY, "reactions"],
  [FSCK_ONLY, "fsck"],
  [STATS_ONLY, "stats"],
];

const READER_FEATURES: Extras = [
  [REACTION_READS, "reactions"],
  [FSCK_READS, "fsck"],
  [STATS_READS, "stats"],
];

/** Checks that the user has exactly the permissions that latchkey's scripts and client need. */
export async function permissions(context: DoctorContext): Promise<Outcome> {
  const { user, location } = context;
  const { namespace } = location;
  // Partitions do not differ in permissions.
  const missing = await unlessDenied(missingOf(context, { ...location, partitions: 1 }));
  if (missing === undefined) {
    const status = `user ${user}: unknown without +multi or +acl|dryrun`;
    const meaning = "lists and the event log need +multi; other missing permissions are unknown";
    return fail(status, meaning, grant(user, allRules("writer", namespace)));
  }
  const { rules, isReader, commands } = missing;
  if (rules.length === 0) return sufficient(context);
  const fix = grant(user, rules);
  if (isReader) {
    const denied = deniedFeatures(READER_FEATURES, commands);
    const meaning = `enough for get, list, history and events, ${denied === "" ? "and for fsck" : `but ${denied}`}`;
    return info(`user ${user} may read, and change nothing`, meaning, fix);
  }
  const status = `user ${user} lacks ${rules.join(" ")}`;
  const names = rules.map((rule) => rule.slice(1));
  if (names.every((name) => WRITER_EXTRAS.some(([extras]) => extras.includes(name))))
    return info(status, `enough for changes, but ${deniedFeatures(WRITER_EXTRAS, names)}`, fix);
  return fail(status, "calls that need these are rejected with NOPERM before any write", fix);
}

/** Names the features that are rejected without some commands. */
function deniedFeatures(extras: Extras, missing: readonly string[]): string {
  const features = extras.filter(([commands]) => commands.some((command) => missing.includes(command)));
  const names = features.map(([, feature]) => feature).join(", ");
  return names === "" ? "" : `NOPERM for: ${names}`;
}

interface MissingPermissions {
  /** The rules that would make the user a writer. */
  readonly rules: readonly string[];
  /** True for a user that may read everything and write nothing, which is intended. */
  readonly isReader: boolean;
  /** The commands with a missing permission of any kind. */
  readonly commands: readonly string[];
}

interface ProbedCall {
  readonly command: string;
  readonly missing: PermissionKind | undefined;
}

async function missingOf(context: DoctorContext, location: MachineLocation): Promise<MissingPermissions> {
  const db = context.connection.client.options.db ?? 0;
  const commands = [...commandsOf("writer"), ...(db === 0 ? [] : ["select"])];
  const samples = commands.flatMap((command) =>
    samplesOf(command, location).map((sample) => ({ command, sample })),
  );
  const missing = await missingFor(
    context,
    samples.map(({ sample }) => sample),
  );
  const calls = samples.map(({ command }, at): ProbedCall => ({ command, missing: missing[at] }));
  const reads = [...commandsOf("reader").filter((command) => !READER_EXTRAS.includes(command)), "select"];
  return {
    rules: missingRules(calls, location.namespace),
    isReader: calls.every((call) =>
      reads.includes(call.command)
        ? call.missing === undefined
        : !WRITES.includes(call.command) || call.missing !== undefined,
    ),
    commands: calls.filter((call) => call.missing !== undefined).map(({ command }) => command),
  };
}

/** Returns the missing rules. The server reports a command before a key, so keys are granted unless a call proves them. */
function missingRules(calls: readonly ProbedCall[], namespace: string): string[] {
  const denied = calls.filter(({ missing }) => missing !== undefined);
  if (denied.length === 0) return [];
  const allowed = calls.filter(({ missing }) => missing === undefined).map(({ command }) => command);
  const isDenied = (kind: PermissionKind): boolean => denied.some(({ missing }) => missing === kind);
  const needsKeys = isDenied("key") || !allowed.some((command) => WRITES.includes(command));
  const needsChannel =
    isDenied("channel") || !allowed.some((command) => /^(publish|subscribe)$/.test(command));
  const commands = denied.filter(({ missing }) => missing === "command").map(({ command }) => `+${command}`);
  return [
    ...(needsKeys ? keyPatterns(namespace, "writer") : []),
    ...(needsChannel ? [channelPattern(namespace)] : []),
    ...new Set(commands),
  ];
}

function grant(user: string, rules: readonly string[]): string {
  return `ACL SETUSER ${user} ${rules.join(" ")}`;
}

async function sufficient(context: DoctorContext): Promise<Outcome> {
  const { user, location } = context;
  const optional = (await missingOptional(context)).map(
    ({ command, feature }) => `${command} (for ${feature})`,
  );
  const exception = optional.length === 0 ? "" : `, except ${optional.join(" and ")}`;
  const meaning = `all commands of the scripts and the client are allowed on the namespace's keys and channels${exception}`;
  if (user !== "default") return ok(`sufficient for user ${user}`, meaning);
  const advice = "; a separate user limits the damage of a stolen password";
  return info("sufficient for user default", `${meaning}${advice}`, userLine("writer", location.namespace));
}
