import { documentText, type Snapshot } from "../contract/document.js";
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
export function reportError(
  context: CliContext,
  error: unknown,
  forPrograms: boolean,
  given: GlobalOptions = {},
  verb = "",
): void {
  const message = error instanceof Error ? error.message : String(error);
  const {
    lines = [],
    facts = {},
    hint = defaultHint(error instanceof CliError ? (error.cause ?? error) : error, given, verb),
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
function defaultHint(error: unknown, given: GlobalOptions, failed: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { machine = "", namespace = "", url = "" } = given;
  const command = (verb: string, options: readonly string[] = []): string =>
    commandFor({ given, machine, namespace, url }, verb, [], options);
  const code = codeOf(error);
  if (code === "GAP" && "cursor" in error) return `latchkey events --after ${error.cursor}`;
  const reply = "reply" in error ? error.reply : "";
  if (code === "NOTEXECUTED" && reply === "NOPERM") return command("acl", ["--role", roleFor(error, failed)]);
  const doctor = failed === "doctor" ? undefined : command("doctor");
  if (code === "NOTEXECUTED") return reply === "NOAUTH" ? CREDENTIALS : doctor;
  if (code !== "UNREACHABLE" || !("reason" in error)) return undefined;
  if ("slot" in error) return doctor;
  if (error.message.includes("`latchkey dev "))
    return `${thisProgram()} dev --port 6379, or --url valkey://host:port`;
  if (error.reason === "permission") return command("acl", ["--role", roleFor(error, failed)]);
  return error.reason === "auth" ? CREDENTIALS : undefined;
}

/** Commands that need another role than a writer's. */
const ROLES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["get", "list", "count", "history", "stats", "events", "wait", "graph", "machines", "doctor"].map(
      (verb) => [verb, "reader"],
    ),
  ),
  ...{ restore: "restorer", reactions: "reactor", fsck: "operator", lua: "operator" },
};

/** Returns the role that the error names, else the one that the command needs. */
function roleFor({ message }: Error, verb: string): string {
  const [, role] = /`latchkey acl --role ([a-z]+)`/.exec(message) ?? [];
  return role ?? ROLES[verb] ?? "writer";
}
