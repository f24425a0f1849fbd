import { CliError } from "./cli-error.js";
import type { CliContext } from "./context.js";
import { codeOf } from "./exit-codes.js";
import { shownText } from "./output/terminal-text.js";
import { thisProgram } from "./this-program.js";

/** Tells of an error on stderr: for people, or as one JSON object for programs. Texts do nothing to a terminal. */
export function reportError(context: CliContext, error: unknown, forPrograms: boolean): void {
  const message = error instanceof Error ? error.message : String(error);
  const { lines = [], facts = {}, hint = hintFor(error) } = error instanceof CliError ? error.details : {};
  if (forPrograms) {
    const members = {
      code: JSON.stringify(codeOf(error) || "UNEXPECTED"),
      message: JSON.stringify(message),
      ...facts,
      ...(hint !== undefined && { hint: JSON.stringify(hint) }),
    };
    const json = Object.entries(members).map(([name, text]) => `"${name}":${text}`);
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

/** What to type where the error itself does not say. */
function hintFor(error: unknown): string | undefined {
  switch (codeOf(error)) {
    case "GAP":
      return error instanceof Error && "cursor" in error
        ? `latchkey events --after ${error.cursor}`
        : undefined;
    case "NOTEXECUTED":
      // It says what the user lacks, and how to grant it.
      return error instanceof Error && "reply" in error && error.reply === "NOPERM"
        ? `${thisProgram()} doctor`
        : undefined;
    case "UNREACHABLE":
      if (!(error instanceof Error && "reason" in error)) return undefined;
      if (error.reason === "refused") return `${thisProgram()} dev, or --url valkey://host:port`;
      if (error.reason === "auth") return "LATCHKEY_PASSWORD or --password-file; the user stands in the URL";
      return undefined;
    default:
      return undefined;
  }
}
