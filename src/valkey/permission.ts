/** Denials by the server, and by our scripts, which check permissions before their first write. */
const DENIED = /^(?:NOPERM|ERR ACL failure in script)\b/;

/**
 * Names the permission that an error reply says is missing, in the words of ACL; undefined for other texts. The text of the
 * reply is not repeated, because some servers quote the call.
 */
export function missingPermission(text: string): string | undefined {
  if (!DENIED.test(text)) return undefined;
  const [, command] =
    /to run the '([a-z0-9_.|-]+)' command/i.exec(text) ?? /^NOPERM ([a-z]+)$/.exec(text) ?? [];
  if (command !== undefined)
    return text.startsWith("NOPERM ") && !text.includes(" run ")
      ? `+${command}, or access to its key or channel`
      : `+${command}`;
  if (/channel/i.test(text)) return "access to the channels of the namespace";
  if (/\bkeys?\b/i.test(text)) return "access to the keys of the namespace";
  return "a command, key or channel";
}
