import { replyCode, safeMessage } from "../valkey/failure.js";

/** The user may not look, or the server has nothing to look with. */
export class NotAllowed extends Error {
  override readonly name = "NotAllowed";
  /** The permission that is needed, as ACL SETUSER takes it; undefined where the server has no such command. */
  readonly needs: string | undefined;

  constructor(message: string, needs: string | undefined) {
    super(message);
    this.needs = needs;
  }
}

/**
 * Asks, and tells a question that was denied from one that failed.
 *
 * @param command what is asked with, as ACL names it: `config|get`
 * @throws NotAllowed where the user may not, or the server does not know the command; else the client's error.
 */
export async function look<T>(command: string, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    const text = safeMessage(error);
    if (replyCode(error) === "NOPERM") {
      const what = /access (one of the keys|the '|a key|a channel)/i.test(text)
        ? "this namespace's keys"
        : `+${command}`;
      throw new NotAllowed(`not allowed to look: needs ${what}`, what.startsWith("+") ? what : undefined);
    }
    if (/^ERR unknown (command|subcommand)/i.test(text)) {
      throw new NotAllowed(
        `the server has no ${command.replace("|", " ").toUpperCase()} to look with`,
        undefined,
      );
    }
    throw error;
  }
}
