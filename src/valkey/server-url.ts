import { refuse } from "../contract/arguments.js";
import type { Address } from "./address.js";
import { rejectUrlSettings } from "./url-settings.js";

const SCHEMES = new Map([
  ["valkey:", false],
  ["redis:", false],
  ["valkeys:", true],
  ["rediss:", true],
]);

const HINT = "write it like valkey://localhost:6379 (valkeys:// for TLS)";

const SENTINEL_HINT =
  "write it like valkey+sentinel://host1:26379,host2:26379/primary-name (valkeys+sentinel:// for TLS)";
const SENTINEL_PORT = 26_379;

const CLUSTER_HINT =
  "write it like valkey+cluster://host1:6379,host2:6379 (valkeys+cluster:// for TLS), with any of the cluster's nodes";

/** Error of a database number for a cluster. */
export const ONE_DATABASE = "a cluster has only database 0; omit the number, and use a namespace of your own";

const SOCKET_HINT = "write it like unix:///run/valkey/valkey.sock";

/**
 * Reads a server's URL:
 * - `valkey://[user[:password]@]host[:port][/database]`,
 * - with Sentinels `valkey+sentinel://[user[:password]@]host[:port][,host[:port]…]/primary[/database]`,
 * - for a cluster `valkey+cluster://[user[:password]@]host[:port][,host[:port]…]`,
 * - for a Unix socket `unix://[user[:password]@]/path`.
 *
 * `valkeys` means TLS. `redis`, `rediss` and `valkey+unix` are accepted too.
 *
 * @throws ContractError if a part is not understood; the text never repeats the URL, which may contain a password
 */
export function parseAddress(text: string): Address {
  const url = text.trim().replace(/^[a-z+]+:/i, (scheme) => scheme.toLowerCase());
  const [, scheme = "", secure, kind = "", slashes, rest = ""] =
    /^((?:valkey|redis)(s?)(?:\+(sentinel|cluster|unix))?|unix):(\/\/)?(.*)$/s.exec(url) ?? [];
  if (scheme !== "") {
    const hint = { sentinel: SENTINEL_HINT, cluster: CLUSTER_HINT, unix: SOCKET_HINT, "": HINT };
    const key = (scheme === "unix" ? "unix" : kind) as keyof typeof hint;
    if (slashes === undefined) refuse(`the server URL lacks // after ${scheme}:; ${hint[key]}`);
    rejectUrlSettings(url);
  }
  if (kind === "sentinel") return parseSentinels(rest, secure === "s");
  if (kind === "cluster") return parseCluster(rest, secure === "s");
  if (scheme === "unix" || (kind === "unix" && secure === "")) return parseSocket(rest);
  if (kind === "" && scheme !== "" && /^[^/]*,/.test(rest.replace(/^.*@/s, "")))
    refuse(`${scheme}:// names one server; ${CLUSTER_HINT}, or ${SENTINEL_HINT}`);
  const [, other, group] = /^([a-z+.-]*(cluster|sentinel)[a-z+.-]*):/.exec(scheme === "" ? url : "") ?? [];
  if (other !== undefined)
    refuse(`unsupported URL scheme ${other}://; ${group === "cluster" ? CLUSTER_HINT : SENTINEL_HINT}`);
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    refuse(`invalid server URL; ${HINT}; in a user or password, write / as %2F and @ as %40`);
  }
  const tls = SCHEMES.get(parsed.protocol);
  if (tls === undefined) refuse(`unsupported URL scheme ${parsed.protocol}//; ${HINT}`);
  if (parsed.hostname === "") refuse(`the server URL has no host; ${HINT}`);
  const database = parsed.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(database))
    refuse(`the path of the server URL must be the number of a database; ${HINT}`);
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? 6379 : Number(parsed.port),
    tls,
    database: Number(database),
    ...(parsed.username !== "" && { username: decoded("user", parsed.username) }),
    ...(parsed.password !== "" && { password: decoded("password", parsed.password) }),
  };
}

function parseSentinels(rest: string, tls: boolean): Address {
  const match = /^(?:([^@/]*@))?([^@/]+)\/([A-Za-z0-9._-]+)(?:\/(\d{1,5}))?$/.exec(rest);
  if (match === null) {
    const isNamed = /^[^/]+\/[^/]/.test(rest);
    refuse(
      `${isNamed ? "invalid Sentinel URL" : "the Sentinel URL lacks the name of the primary"}; ${SENTINEL_HINT}`,
    );
  }
  const [, credentials = "", hosts = "", primary = "", database = "0"] = match;
  const nodes = parseHosts(hosts.split(","), SENTINEL_PORT, "invalid Sentinel URL", SENTINEL_HINT);
  return {
    ...nodes[0],
    tls,
    database: Number(database),
    ...credentialsOf(credentials),
    sentinel: { nodes, primary },
  };
}

function parseCluster(rest: string, tls: boolean): Address {
  const match = /^(?:([^@/]*@))?([^@/]+)(?:\/(\d*))?$/.exec(rest);
  if (match === null) refuse(`invalid cluster URL; ${CLUSTER_HINT}`);
  const [, credentials = "", hosts = "", database = ""] = match;
  if (Number(database) > 0) refuse(ONE_DATABASE);
  const cluster = parseHosts(hosts.split(","), 6379, "invalid cluster URL", CLUSTER_HINT);
  return { ...cluster[0], tls, database: 0, ...credentialsOf(credentials), cluster };
}

interface Host {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads each host as a URL of its own, because a URL has only one.
 *
 * @param problem text of the error if one is invalid
 * @param hint what to write instead
 * @returns at least one
 */
export function parseHosts(
  hosts: readonly string[],
  port: number,
  problem: string,
  hint: string,
): [Host, ...Host[]] {
  const [first, ...others] = hosts.map((host) => {
    if (host === "") refuse(`${problem}: an address is empty; ${hint}`);
    if (/\s/.test(host)) refuse(`${problem}: an address contains a space; ${hint}`);
    if (!/^[^/@?#]+$/.test(host) || !URL.canParse(`valkey://${host}`))
      refuse(`${problem}: an address is not host:port; ${hint}`);
    const node = parseAddress(`valkey://${host}`);
    return { host: node.host, port: new URL(`valkey://${host}`).port === "" ? port : node.port };
  });
  if (first === undefined) refuse(`${problem}; ${hint}`);
  return [first, ...others];
}

function parseSocket(rest: string): Address {
  const [, credentials = "", path = ""] = /^([^/]*@)?(\/.*[^/])$/s.exec(rest) ?? [];
  if (path === "") refuse(`a Unix socket needs an absolute path; ${SOCKET_HINT}`);
  return {
    host: "",
    port: 0,
    path: decoded("path", path),
    tls: false,
    database: 0,
    ...credentialsOf(credentials),
  };
}

/** Reads `user:password@`. */
function credentialsOf(text: string): Pick<Address, "username" | "password"> {
  const { username, password } = parseAddress(`valkey://${text}localhost`);
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

function decoded(what: "user" | "password" | "path", text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    refuse(`the ${what} in the server URL contains a % that starts no escape: write %25; ${HINT}`);
  }
}
