/** A permission that a call needed and its user lacks. */
export interface MissingPermission {
  /** A sentence, such as `user app lacks the permission +evalsha`. */
  readonly text: string;
  /** The server's code with the command, such as `NOPERM evalsha`. */
  readonly code: string;
}

/** Denials by the server, and by our scripts, which check permissions before their first write. */
const DENIED = /^(?:NOPERM|ERR ACL failure in script)\b/;

/** Reads the permission that is missing from an error reply; undefined for other replies. */
export function missingPermission(text: string): MissingPermission | undefined {
  if (!DENIED.test(text)) return undefined;
  const [, user] = /\bUser (\S+) has no permissions/i.exec(text) ?? [];
  const who = user === undefined ? "the user lacks" : `user ${user} lacks`;
  const [, command] = /to run the '([a-z0-9_.|-]+)' command/i.exec(text) ?? [];
  if (command !== undefined) return { text: `${who} the permission +${command}`, code: `NOPERM ${command}` };
  const [, own] = /^NOPERM ([a-z|]+)$/.exec(text) ?? []; // of a script, which knows no more
  if (own !== undefined)
    return { text: `${who} the permission +${own}, or access to its key or channel`, code: text };
  const what = /channel/i.test(text) ? "channels" : "keys";
  return { text: `${who} access to the ${what} of the namespace`, code: "NOPERM" };
}
