import type { Valkey } from "iovalkey";
import type { Logger } from "./logger.js";

/** Commands that the client sends after it has connected, and error replies for which it prints a warning. */
const WARNED = {
  info: { of: /NOPERM/, level: "debug", message: "this user lacks permission for INFO" },
  auth: {
    of: /no password is set|without any password configured/,
    level: "warn",
    message: "a password is set, but the server requires none",
  },
} as const;

/**
 * Logs warnings that the client would print. The client gets an empty reply instead of the error, and continues as it
 * would after the warning.
 */
export function logWarnings(client: Valkey, logger: Logger, address: string): void {
  for (const name of ["info", "auth"] as const) {
    const { of, level, message } = WARNED[name];
    const send = client[name].bind(client) as (...words: unknown[]) => Promise<unknown>;
    const quietly = (...words: unknown[]): Promise<unknown> => {
      const callback: unknown = words.at(-1);
      // Only the client's own calls have a callback.
      if (typeof callback !== "function") return send(...words);
      return send(...words.slice(0, -1)).then(
        (reply) => callback(null, reply),
        (error: Error) => {
          // The client would close its socket again, and wait two seconds for that.
          if (client.status === "end") return;
          if (!of.test(error.message)) return callback(error);
          logger[level]({ address }, message);
          callback(null, "");
        },
      );
    };
    Object.defineProperty(client, name, { value: quietly });
  }
}
