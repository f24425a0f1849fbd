import { documentText, type Snapshot } from "../contract/document.js";
import { codeOf } from "../errors/code-of.js";
import { CliError } from "./cli-error.js";
import type { CliContext } from "./context.js";
import { shownText } from "./output/terminal-text.js";
import { thisProgram } from "./shell-command.js";

/** Writes an error to stderr: lines for people, or one JSON object for programs. Control characters are escaped. */
export function reportError(context: CliContext, error: unknown, forPrograms: boolean): void {
  const message = error instanceof Error ? error.message : String(error);
  const {
    lines = [],
    facts = {},
    hint = defaultHint(error),
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

/** Returns a command to try for an error that has no hint of its own. */
function defaultHint(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = codeOf(error);
  if (code === "GAP" && "cursor" in error) return `latchkey events --after ${error.cursor}`;
  // The doctor prints the permissions that the user lacks.
  if (code === "NOTEXECUTED" && "reply" in error && error.reply === "NOPERM")
    return `${thisProgram()} doctor`;
  if (code !== "UNREACHABLE" || !("reason" in error)) return undefined;
  if (error.reason === "refused") return `${thisProgram()} dev, or --url valkey://host:port`;
  if (error.reason === "auth") return "LATCHKEY_PASSWORD or --password-file; the user is part of the URL";
  return undefined;
}
