/** A permission that a call needed and its user lacks. */
export interface MissingPermission {
  /** A sentence, such as `user app lacks the permission +evalsha`. */
  readonly text: string;
  /** The server's code with the command, such as `NOPERM evalsha`. */
  readonly code: string;
}

/** Denials of a command inside a script. The second text is that of Redis before 7.2. */
const INNER_DENIAL = /^ERR (?:ACL failure in script|The user executing the script)\b/;

/** Returns true for an error reply to a command inside a script that the user may not run. */
export function isInnerDenial(text: string): boolean {
  return INNER_DENIAL.test(text);
}

/** Reads the permission that is missing from an error reply; undefined for other replies. */
export function missingPermission(text: string): MissingPermission | undefined {
  if (!text.startsWith("NOPERM") && !isInnerDenial(text)) return undefined;
  const [, user] = /\bUser (\S+) has no permissions/i.exec(text) ?? [];
  const who = user === undefined ? "the user lacks" : `user ${user} lacks`;
  const [, command] = /to run the '([a-z0-9_.|-]+)' command/i.exec(text) ?? [];
  if (command !== undefined) return { text: `${who} the permission +${command}`, code: `NOPERM ${command}` };
  const [, own] = /^NOPERM ([a-z|]+)$/.exec(text) ?? []; // of a script, which knows no more
  if (own !== undefined)
    return { text: `${who} the permission +${own}, or access to its key or channel`, code: text };
  if (/\bthis command\b/.test(text))
    return {
      text: "the user lacks a permission for a command of the script, which this server does not name",
      code: "NOPERM",
    };
  const what = /channel/i.test(text) ? "channels" : "keys";
  return { text: `${who} access to the ${what} of the namespace`, code: "NOPERM" };
}
