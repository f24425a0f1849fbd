import { type Operation, scripts } from "../../lua/index.js";
import { maintenanceScripts } from "../../lua/maintenance.js";
import { reactionScripts } from "../../lua/reactions.js";
import {
  ADMINISTRATION,
  CLUSTER,
  CLUSTER_CHECKS,
  commandsIn,
  DEAD_LETTER_CHANGES,
  DURABILITY,
  functionCalls,
  INIT,
  READER_COMMANDS,
  scriptCalls,
} from "./commands.js";
import type { Role } from "./role-names.js";

/** Keys to which some commands are limited: those of the namespace, or those that replicas of a reaction share. */
export type Scope = "write" | "read" | "reaction-streams" | "reaction-keys";

/** Commands, and the keys to which they are limited. */
export interface Grant {
  readonly scope: Scope;
  readonly commands: readonly string[];
}

/** The operations of a role that have a function in the library, for roles that call only such operations. */
const OPERATIONS = {
  writer: (Object.keys(scripts) as Operation[]).filter((name) => name !== "restore"),
  reader: ["get"],
  restorer: ["get", "remove", "restore"],
} as const satisfies Partial<Record<Role, readonly Operation[]>>;

const { forget, ...handlingScripts } = reactionScripts;

/** Returns true for roles that can call the function library instead of the scripts. */
export function hasFunctions(role: Role): role is keyof typeof OPERATIONS {
  return Object.hasOwn(OPERATIONS, role);
}

/** Returns the permissions of a role that calls the functions of the library by FCALL instead of the scripts. */
export function functionGrantsOf(role: keyof typeof OPERATIONS): readonly Grant[] {
  const [grant] = grantsOf(role);
  const commands = grant?.commands.filter((command) => !/^(evalsha(_ro)?|script)\|/.test(command)) ?? [];
  return [
    {
      scope: role === "reader" ? "read" : "write",
      commands: [...commands, ...functionCalls(OPERATIONS[role])].sort(),
    },
  ];
}

/** Returns the permissions of a role. The first grant is for all keys of the namespace; each other one extends it. */
export function grantsOf(role: Role): readonly Grant[] {
  switch (role) {
    case "reader":
      return [{ scope: "read", commands: readerCommands() }];
    case "writer":
    case "restorer":
      return [{ scope: "write", commands: changerCommands(role) }];
    case "operator":
      return [{ scope: "write", commands: operatorCommands() }];
    case "reactor":
      return [{ scope: "read", commands: readerCommands() }, ...handlingGrants()];
  }
}

/** Returns all commands of a role, as ACL names them, in alphabetical order. */
export function commandsOf(role: Role): readonly string[] {
  return sorted(grantsOf(role).flatMap(({ commands }) => commands));
}

/** Returns what a role needs besides, in a cluster or in a database other than 0. People run the doctor as a reader or operator. */
export function placeCommandsOf(
  role: Role,
  { cluster, database }: { readonly cluster: boolean; readonly database: boolean },
): readonly string[] {
  const checks = role === "reader" || role === "operator" ? CLUSTER_CHECKS : [];
  return [...(cluster ? [...CLUSTER, ...checks] : []), ...(database ? ["select"] : [])];
}

function readerCommands(): readonly string[] {
  return sorted([...READER_COMMANDS, ...commandsIn(scripts.get), ...scriptCalls([scripts.get])]);
}

function changerCommands(role: "writer" | "restorer"): readonly string[] {
  const called = OPERATIONS[role].map((name) => scripts[name]);
  return sorted([
    ...READER_COMMANDS,
    ...DURABILITY,
    ...(role === "writer" ? INIT : []),
    ...scriptCalls(called),
    ...called.flatMap(commandsIn),
  ]);
}

function operatorCommands(): readonly string[] {
  const called = [forget, ...Object.values(maintenanceScripts)];
  return sorted([
    ...commandsOf("writer"),
    ...DEAD_LETTER_CHANGES,
    ...scriptCalls(called),
    ...called.flatMap(commandsIn),
    ...ADMINISTRATION,
  ]);
}

/** A reaction writes its own keys, and the positions of its consumer group in the event log, but no events. */
function handlingGrants(): readonly Grant[] {
  const called = Object.values(handlingScripts);
  const reads = readerCommands();
  const commands = sorted([...DEAD_LETTER_CHANGES, ...called.flatMap(commandsIn)]).filter(
    (command) => !reads.includes(command),
  );
  const calls = scriptCalls(called).filter((command) => !reads.includes(command));
  return [
    { scope: "reaction-streams", commands: [...calls, ...commands.filter(isOfGroup)] },
    { scope: "reaction-keys", commands: commands.filter((command) => !isOfGroup(command)) },
  ];
}

/** Returns true for commands of consumer groups, which a reaction runs on the event log too. */
export function isOfGroup(command: string): boolean {
  return /^x(ack|claim|group|info|readgroup)\b/.test(command);
}

function sorted(commands: readonly string[]): readonly string[] {
  return [...new Set(commands)].sort();
}
