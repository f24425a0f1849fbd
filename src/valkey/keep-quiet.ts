import type { Valkey } from "iovalkey";
import type { Logger } from "./logger.js";

/** A command that the client sends of itself when it has connected, and what it prints a warning for before it goes on. */
const WARNED = {
  info: { of: /NOPERM/, message: "this user may not ask INFO" },
  auth: { of: /no password is set|without any password configured/, message: "the server wants no password" },
} as const;

/**
 * Keeps the client from printing warnings. What it would only warn of it is told as an empty answer, on which it goes on
 * just the same; it is logged instead.
 */
export function keepQuiet(client: Valkey, logger: Logger, address: string): void {
  for (const name of ["info", "auth"] as const) {
    const { of, message } = WARNED[name];
    const send = client[name].bind(client) as (...words: unknown[]) => Promise<unknown>;
    const quietly = (...words: unknown[]): Promise<unknown> => {
      const callback: unknown = words.at(-1);
      // Only its own calls have one.
      if (typeof callback !== "function") return send(...words);
      return send(...words.slice(0, -1)).then(
        (reply) => callback(null, reply),
        (error: Error) => {
          if (!of.test(error.message)) return callback(error);
          logger.debug({ address }, message);
          callback(null, "");
        },
      );
    };
    Object.defineProperty(client, name, { value: quietly });
  }
}
