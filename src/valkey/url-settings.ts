import { refuse } from "../contract/arguments.js";

const OPTION = (name: string): string => `use the option ${name}`;
const DATABASE = "write the database as path, as in valkey://localhost:6379/2, or use the option database";
const TLS = "write valkeys:// for TLS, and use the option tls for certificates";
const USER = "write the user before the host, as in valkey://user@localhost, or use the option username";
const PASSWORD = "use the option password, or LATCHKEY_PASSWORD on the command line";

/** Settings that other clients read from the query of a URL, in lower case without `_` and `-`. */
const INSTEAD: readonly (readonly [names: string, instead: string])[] = [
  ["db database", DATABASE],
  ["tls ssl protocol scheme sslcertreqs sslcacerts sslcertfile sslkeyfile insecure skipverify", TLS],
  ["user username", USER],
  ["password pass", PASSWORD],
  ["family", "leave it out, because latchkey tries IPv4 and IPv6"],
  ["connecttimeout connecttimeoutms socketconnecttimeout dialtimeout", OPTION("connectTimeoutMs")],
  ["timeout commandtimeout sockettimeout readtimeout writetimeout", OPTION("timeout")],
  ["name clientname connectionname", OPTION("connectionName")],
  ["keyprefix prefix namespace", OPTION("namespace")],
  ["client keepalive nodelay", "leave it out, because latchkey sets it"],
];

/**
 * Rejects a query and a fragment in the URL of a server. Other clients read settings there, which would be ignored here.
 *
 * @throws ContractError that names the option to use. Repeats no unknown text, which may be a part of a password.
 */
export function rejectUrlSettings(url: string): void {
  const at = url.search(/[?#]/);
  if (at < 0) return;
  if (url[at] === "#")
    refuse(
      "the server URL has a fragment (#…), which has no meaning; if # is part of the password, write %23",
    );
  const found = new Map<string, string>();
  for (const name of new URLSearchParams(url.slice(at + 1).replace(/#.*$/s, "")).keys()) {
    const plain = name.toLowerCase().replaceAll(/[_-]/g, "");
    const instead = INSTEAD.find(([names]) => names.split(" ").includes(plain))?.[1];
    if (instead !== undefined) found.set(name, instead);
  }
  if (found.size === 0)
    refuse("the server URL has a query (?…); use options instead; if ? is part of the password, write %3F");
  const each = [...found].map(([name, instead]) => `${name}: ${instead}`);
  refuse(`the server URL has a query, which is not supported; ${each.join("; ")}`);
}
