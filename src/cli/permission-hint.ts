import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Connection } from "../valkey/connection.js";
import { CliError } from "./cli-error.js";

/**
 * Runs a question that needs permissions which the user's role may not include. If one of them is missing, the hint of the
 * error grants all of them.
 *
 * @param rules rules of ACL SETUSER, such as `+scan`
 */
export async function withPermissions<T>(
  { client }: Connection,
  rules: readonly string[],
  question: () => Promise<T>,
): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof NotExecutedError && error.reply === "NOPERM")) throw error;
    const isKey = rules.some((rule) => rule.includes("~")) && error.message.includes("access to the keys");
    if (!isKey && !rules.some((rule) => error.message.includes(rule))) throw error;
    const hint = ["ACL SETUSER", client.options.username ?? "default", ...rules.map(quoted)].join(" ");
    const message = error.message.replace(
      /(?:, which the role \w+ has)?; `latchkey acl[^`]*` prints[^(]*(?= \()/,
      "",
    );
    throw new CliError(
      error.code,
      isKey ? message.replace(" of the namespace", "") : message,
      { hint },
      error,
    );
  }
}

/** Quotes a rule with blanks as valkey-cli reads it. */
function quoted(rule: string): string {
  return /[\s"'\\]/.test(rule) ? JSON.stringify(rule) : rule;
}
