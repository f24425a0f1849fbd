import { scripts } from "../../lua/index.js";
import {
  ADMINISTRATION,
  CLUSTER_CHECKS,
  commandsIn,
  DURABILITY,
  FSCK_READS,
  REACTION_READS,
  READER_EXTRAS,
  STATS_READS,
} from "./commands.js";
import type { Role } from "./role-names.js";
import { commandsOf } from "./roles.js";

/** Optional commands, and the functions that need them. */
export type Feature = readonly [commands: readonly string[], name: string];

const { get, restore, ...changes } = scripts;
const inScripts = Object.values(changes).flatMap(commandsIn);

/** Commands for changes, reads and events. */
const PLAIN = commandsOf("writer").filter(
  (command) => !READER_EXTRAS.includes(command) || inScripts.includes(command),
);

function only(commands: readonly string[]): readonly string[] {
  return [...new Set(commands)].filter((command) => !PLAIN.includes(command));
}

/** Commands for reactions that changes do not need. */
export const REACTION_ONLY: readonly string[] = only([
  ...REACTION_READS,
  ...commandsOf("reactor").filter((command) => !READER_EXTRAS.includes(command)),
]);

/** The permissions that a reactor has and a writer lacks. */
export const REACTOR_ONLY: readonly string[] = commandsOf("reactor").filter(
  (command) => !commandsOf("writer").includes(command),
);

/** Lists the features that a writer may do without. */
export const WRITER_FEATURES: readonly Feature[] = [
  [DURABILITY, "durability"],
  [REACTION_ONLY, "reactions"],
  [only(FSCK_READS), "fsck"],
  [only(STATS_READS), "stats"],
  [ADMINISTRATION, "doctor, lua and fsck --deep"],
  [CLUSTER_CHECKS, "the doctor's checks of the cluster"],
];

/** Lists the features that a reader may do without. */
const READER_FEATURES: readonly Feature[] = [
  [REACTION_READS, "reactions"],
  [FSCK_READS, "fsck"],
  [STATS_READS, "stats"],
  [CLUSTER_CHECKS, "the doctor's checks of the cluster"],
];

/** Returns the features that a user with some roles may do without. */
export function featuresOf(roles: readonly Role[]): readonly Feature[] {
  return roles.every((role) => role === "reader" || role === "reactor") ? READER_FEATURES : WRITER_FEATURES;
}

/** Names the features that are rejected without some commands. */
export function deniedFeatures(features: readonly Feature[], missing: readonly string[]): string {
  const denied = features.filter(([commands]) => commands.some((command) => missing.includes(command)));
  return denied.length === 0 ? "" : `NOPERM for: ${denied.map(([, name]) => name).join(", ")}`;
}
