import type { Valkey } from "iovalkey";
import type { Logger } from "./logger.js";

/** A command that the client sends of itself when it has connected, and what it prints a warning for before it goes on. */
const WARNED = {
  info: { of: /NOPERM/, level: "debug", message: "this user may not ask INFO" },
  auth: {
    of: /no password is set|without any password configured/,
    level: "warn",
    message: "a password was given, but the server wants none",
  },
} as const;

/**
 * Keeps the client from printing warnings. What it would only warn of it is told as an empty answer, on which it goes on
 * just the same; it is logged instead. Where it has ended meanwhile, it is told nothing.
 */
export function logWarnings(client: Valkey, logger: Logger, address: string): void {
  for (const name of ["info", "auth"] as const) {
    const { of, level, message } = WARNED[name];
    const send = client[name].bind(client) as (...words: unknown[]) => Promise<unknown>;
    const quietly = (...words: unknown[]): Promise<unknown> => {
      const callback: unknown = words.at(-1);
      // Only its own calls have one.
      if (typeof callback !== "function") return send(...words);
      return send(...words.slice(0, -1)).then(
        (reply) => callback(null, reply),
        (error: Error) => {
          // It would close its socket once more, and wait two seconds for that.
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
