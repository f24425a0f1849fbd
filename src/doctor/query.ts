import { replyCode, safeMessage } from "../valkey/failure.js";

/** Thrown if a check is not possible: the user lacks a permission, or the server lacks a command. */
export class CheckDeniedError extends Error {
  override readonly name = "CheckDeniedError";
  /** The missing permission, as ACL SETUSER takes it; undefined if the server lacks the command. */
  readonly permission: string | undefined;

  constructor(message: string, permission: string | undefined) {
    super(message);
    this.permission = permission;
  }
}

/**
 * Sends a query and distinguishes a denied one from a failed one.
 *
 * @param command the command that it sends, as ACL names it: `config|get`
 * @throws CheckDeniedError if the user lacks a permission or the server lacks the command; else the client's error
 */
export async function query<T>(command: string, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    const text = safeMessage(error);
    if (replyCode(error) === "NOPERM") {
      if (/access (one of the keys|the '|a key|a channel)/i.test(text))
        throw new CheckDeniedError("permission denied: needs this namespace's keys", undefined);
      throw new CheckDeniedError(`permission denied: needs +${command}`, `+${command}`);
    }
    if (/^ERR unknown (command|subcommand)/i.test(text)) {
      const name = command.replace("|", " ").toUpperCase();
      throw new CheckDeniedError(`the server does not support ${name}`, undefined);
    }
    throw error;
  }
}

/** Returns the result of a query, or undefined if it was denied. */
export async function unlessDenied<T>(result: Promise<T>): Promise<T | undefined> {
  return result.catch((error: unknown) => {
    if (error instanceof CheckDeniedError) return undefined;
    throw error;
  });
}
