import { documentText, type Snapshot } from "../contract/document.js";
import type { Role } from "../doctor/permissions/role-names.js";
import { codeOf } from "../errors/code-of.js";
import { CliError } from "./cli-error.js";
import type { CliContext } from "./context.js";
import type { GlobalOptions } from "./input/settings.js";
import { shownText } from "./output/terminal-text.js";
import { commandFor, thisProgram } from "./shell-command.js";

/**
 * Writes an error to stderr: lines for people, or one JSON object for programs. Control characters are escaped.
 *
 * @param given the options of all commands, as they were typed
 * @param verb the command that failed
 */
export async function reportError(
  context: CliContext,
  error: unknown,
  forPrograms: boolean,
  given: GlobalOptions = {},
  verb = "",
): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  const {
    lines = [],
    facts = {},
    hint = await defaultHint(error instanceof CliError ? (error.cause ?? error) : error, given, verb),
  } = error instanceof CliError ? error.details : {};
  if (forPrograms) {
    const members = Object.entries({ code: codeOf(error) || "UNEXPECTED", message, ...facts, hint });
    const json = members.flatMap(([name, value]) =>
      value === undefined ? [] : `"${name}":${factText(value)}`,
    );
    context.note(shownText(`{"error":{${json.join(",")}}}`));
    return;
  }
  const { red } = context.paintNote;
  const [first = "", ...rest] = message.split("\n");
  const isUnexpected = codeOf(error) === "" && error instanceof Error && error.name !== "Error";
  context.note(`${red("error:")} ${shownText(isUnexpected ? `${error.name}: ${first}` : first)}`);
  for (const line of [...rest, ...lines]) context.note(`  ${shownText(line)}`);
  if (hint !== undefined) context.note(`  try: ${shownText(hint)}`);
}

/** Documents keep every digit of their numbers. */
function factText(value: unknown): string {
  return typeof value === "object" && value !== null
    ? documentText(value as Snapshot)
    : JSON.stringify(value);
}

const CREDENTIALS = "LATCHKEY_PASSWORD or --password-file; the user is part of the URL";

/** Returns a command to try for an error that has no hint of its own. */
async function defaultHint(
  error: unknown,
  given: GlobalOptions,
  failed: string,
): Promise<string | undefined> {
  if (!(error instanceof Error)) return undefined;
  const { machine = "", namespace = "", url = "" } = given;
  const command = (verb: string, options: readonly string[] = []): string =>
    commandFor({ given, machine, namespace, url }, verb, [], options);
  const code = codeOf(error);
  if (code === "GAP" && "cursor" in error) return `latchkey events --after ${error.cursor}`;
  const reply = "reply" in error ? error.reply : "";
  if (code === "NOTEXECUTED" && reply === "NOPERM") return command("acl", ["--role", await roleFor(error)]);
  const doctor = failed === "doctor" ? undefined : command("doctor");
  if (code === "NOTEXECUTED") return reply === "NOAUTH" ? CREDENTIALS : doctor;
  if (code !== "UNREACHABLE" || !("reason" in error)) return undefined;
  if ("slot" in error) return doctor;
  if (error.message.includes("`latchkey dev "))
    return `${thisProgram()} dev --port 6379, or --url valkey://host:port`;
  if (error.reason === "permission") return command("acl", ["--role", await roleFor(error)]);
  return error.reason === "auth" ? CREDENTIALS : undefined;
}

/** Roles, those with few permissions first. */
const BY_POWER: readonly Role[] = ["reader", "writer", "reactor", "restorer", "operator"];

/** Returns the role that the error names, else the first one that may run the command of which it reports the permission. */
async function roleFor({ message }: Error): Promise<string> {
  const [, role] = /`latchkey acl --role ([a-z]+)`/.exec(message) ?? [];
  if (role !== undefined) return role;
  const [, denied] = /\(NOPERM ([^)]+)\)/.exec(message) ?? [];
  const { commandsOf } = await import("../doctor/permissions/roles.js");
  const mayRun = (one: Role): boolean =>
    commandsOf(one).some((command) => command === denied || command.startsWith(`${denied}|`));
  return BY_POWER.find(mayRun) ?? "reader";
}
